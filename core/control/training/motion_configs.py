"""What robots are asked to do, and what is done to them, while their controllers learn (no torch: forms read it)."""

from dataclasses import dataclass

from core.ranges import Range, check_range, check_ranges


@dataclass(frozen=True)
class WalkCommandConfig:
    """Ranges of commands and how long they last."""

    max_forward: float = 0.4
    "m/s, forward and backward"
    max_lateral: float = 0.2
    "m/s"
    max_turn: float = 0.5
    "rad/s"
    stand_share: float = 0.25
    "part of the commands that is zero"
    single_axis_share: float = 0.3
    "part of the moving commands that use one axis only"
    duration_range_s: Range = (1.5, 5.0)
    "how long a command lasts"

    def __post_init__(self) -> None:
        if not 0 <= self.stand_share <= 1 or not 0 <= self.single_axis_share <= 1:
            raise ValueError(f"shares must be in [0, 1], got {self.stand_share}, {self.single_axis_share}")
        check_ranges(self, positive=("duration_range_s",))


@dataclass(frozen=True)
class ArmMotionConfig:
    """How poses are drawn and how fast the arms go from one to the next."""

    poses: int = 2000
    "size of the bank of two-arm poses"
    speed_range: Range = (0.3, 1.8)
    "rad/s of the joint that moves farthest"
    hold_range_s: Range = (0.2, 1.5)
    "rest at a pose"

    def __post_init__(self) -> None:
        check_ranges(self, positive=("speed_range",))


@dataclass(frozen=True)
class CommandConfig:
    """How hand commands move."""

    joint_speed_rad_s: Range = (0.25, 1.2)
    "speed of the fastest joint in joint-space motions"
    straight_speed_m_s: Range = (0.03, 0.4)
    "hand speed in straight-line motions"
    straight_turn_rad_s: float = 1.0
    "straight-line motions are slowed so that no hand turns faster"
    hold_s: Range = (0.2, 2.0)
    "rest between two motions"
    straight_share: float = 0.6
    "share of straight-line motions where both ends are in the workspace around a box"
    workspace_share: float = 0.65
    "share of motions that end there"
    staircase_share: float = 0.5
    "share of episodes whose command changes at the planner's 10 Hz only"

    def __post_init__(self) -> None:
        check_ranges(self, positive=("joint_speed_rad_s", "straight_speed_m_s"))


@dataclass(frozen=True)
class GraspConfig:
    """Ranges of the episodes. Positions are relative to the Trunk origin, m."""

    box_x_m: Range = (0.33, 0.44)
    "centre of the box"
    box_y_m: Range = (-0.03, 0.03)
    "centre of the box"
    box_z_m: Range = (-0.09, 0.06)
    "centre of the box on the table"
    box_depth_m: Range = (0.18, 0.26)
    "edge along x"
    box_width_m: Range = (0.24, 0.34)
    "edge between the palms"
    box_height_m: Range = (0.18, 0.26)
    "vertical edge"
    box_mass_kg: Range = (0.3, 1.2)
    "mass"
    box_friction: Range = (0.5, 1.0)
    "sliding friction"
    heavy_share: float = 0.15
    "share of boxes of 30 kg: the hands are blocked"
    squeeze_depth_m: Range = (0.01, 0.06)
    "how far each palm's command is inside the face"
    deep_share: float = 0.15
    "share of episodes in which it is twice as much: pressing harder must stop at some force"
    depth_noise_m: float = 0.004
    "standard deviation of the difference between the two palms"
    close_speed_m_s: Range = (0.04, 0.2)
    "speed of each palm towards the face"
    lift_m: Range = (0.06, 0.22)
    "upward motion"
    lift_speed_m_s: Range = (0.04, 0.25)
    "speed of the upward and the sideways motions"
    carry_m: float = 0.07
    "half range of the motion after the lift, each axis"
    carry_yaw_rad: float = 0.2
    "half range of the turn with it"
    fingers_down_rad: Range = (-0.1, 0.6)
    "pitch of the hands"
    hand_tilt_std_rad: float = 0.06
    "standard deviation of the other errors of the commanded rotations, each hand"
    grip_x_m: Range = (-0.04, 0.05)
    "hand frame ahead of the box centre"
    grip_z_m: Range = (-0.04, 0.04)
    "hand frame above the box centre"

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class DisturbanceConfig:
    """Sizes of the disturbances (B17 and beyond)."""

    still_share: float = 0.4
    "share of worlds whose base stands still (but tilted)"
    tilt_std_rad: float = 0.06
    "constant tilt of the base, roll and pitch"
    sway_rad: float = 0.06
    "largest amplitude of the tilt's oscillation, roll and pitch"
    sway_hz: Range = (0.6, 2.5)
    "its frequency: that of steps and strides"
    acceleration_m_s2: float = 1.5
    "largest amplitude of the base's acceleration, each axis"
    squeeze_n: float = 30.0
    "largest sideways force on the hands, inward or outward, about equal left and right"
    push_n: float = 12.0
    "largest random force on a hand"
    shares: tuple[float, float, float] = (0.4, 0.35, 0.25)
    "share of time with no force, squeeze, pushes"
    wrench_s: Range = (0.4, 2.5)
    "how long a force stays"
    payload_kg: Range = (0.0, 1.0)
    "point mass in each hand"
    payload_share: float = 0.6
    "share of worlds with a payload"
    kp_scale: Range = (0.9, 1.1)
    "stiffness randomisation, each joint (B17)"
    kd_scale: Range = (0.8, 1.2)
    "damping randomisation, each joint (B17)"
    target_delay_s: Range = (0.0, 0.0)
    "how late arm targets reach the joints, drawn for every episode"

    def __post_init__(self) -> None:
        check_ranges(self, positive=("kp_scale", "kd_scale"))
        check_range("target_delay_s", self.target_delay_s, at_least=0.0)
