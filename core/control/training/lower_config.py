"""How pi_lower is trained (no torch: forms and command lines read it)."""

from dataclasses import dataclass, field
from typing import Literal

from core.control.footstep_config import FootstepConfig
from core.control.training.motion_configs import ArmMotionConfig, WalkCommandConfig
from core.ranges import Range, check_ranges
from core.rl.ppo_config import ActorCriticConfig, PpoConfig


@dataclass(frozen=True)
class GaitConfig:
    """Shape of the reference."""

    trunk_height_m: float = 0.655
    "height of the Trunk origin above the stance sole; straight legs reach 0.687"
    com_height_m: float = 0.57
    "pendulum length: centre of mass above the sole at that trunk height"
    apex_m: float = 0.06
    "height of the swing foot in mid swing"
    stand_rate_hz: float = 3.0
    "rate constant at which the DCM returns to the middle of two standing feet, 1/s"
    roll_rad: float = 0.08
    """lean of the trunk over the stance leg in mid swing. Single support of a level trunk needs 36 Nm at the hip roll
    joint, which gives 25: the missing moment swings the trunk to and fro by about this much"""
    hip_roll_torque_nm: float = 22.0
    "limit of the feed-forward at the hip roll joints"
    com_filter_s: float = 0.2
    "time constant of the low-pass on the offset of the centre of mass that the arms cause"


@dataclass(frozen=True)
class LowerTrainingConfig:
    """Worlds, episodes, randomisation and disturbances."""

    num_worlds: int = 512
    "walking robots in parallel"
    physics_step_s: float = 0.01
    "physics step while training; evaluation uses the backend's own (5 ms)"
    episode_s: float = 10.0
    reference_share: float = 0.8
    "part of the episodes that start inside a walk, the others start standing"
    lost_foot_m: float = 0.2
    "an episode also ends when the swing foot is this far from its path"
    step_noise: tuple[float, float, float] = (0.04, 0.03, 0.10)
    "added to half of the footsteps, uniform: x, y m, yaw rad"
    payload_kg: float = 1.0
    "largest mass in each hand"
    kp_range: float = 0.10
    "stiffness of each joint is scaled by 1 +- this"
    kd_range: float = 0.20
    trunk_mass_kg: float = 1.0
    "trunk mass offset, +-"
    com_offset_m: float = 0.02
    "offset of the trunk's centre of mass, +- per axis"
    friction_range: Range = (0.6, 1.3)
    "floor"
    squeeze_n: float = 25.0
    "largest force that pushes both hands apart (a box between the palms)"
    hand_force_n: float = 10.0
    "random force on each hand, +- per axis"
    kick_m_s: float = 0.30
    "velocity kicks, +- per axis"
    kick_interval_s: float = 2.0
    "mean time between kicks"
    ramp: tuple[float, float] = (0.3, 0.7)
    "progress of the training between which disturbances and regularisation grow from 0 to their full size"
    commands: WalkCommandConfig = field(default_factory=WalkCommandConfig)
    bank: tuple[int, float] = (400, 8.0)
    "reference walks that episodes start from: number, seconds each"
    arms: ArmMotionConfig = field(default_factory=ArmMotionConfig)
    footsteps: FootstepConfig = field(default_factory=FootstepConfig)
    gait: GaitConfig = field(default_factory=GaitConfig)

    def __post_init__(self) -> None:
        if self.num_worlds < 1:
            raise ValueError(f"num_worlds must be at least 1, got {self.num_worlds}")
        check_ranges(self, positive=("friction_range",))
        if not 0 <= self.ramp[0] < self.ramp[1] <= 1:
            raise ValueError(f"ramp must be ascending inside [0, 1], got {self.ramp}")


@dataclass(frozen=True)
class DistillationConfig:
    """Settings of DAgger."""

    steps_per_iteration: int = 24
    "steps of every world between updates"
    buffer_size: int = 400_000
    "most recent samples that are learnt from"
    batch_size: int = 2048
    "samples of a gradient step"
    updates: int = 16
    "gradient steps per iteration"
    learning_rate: float = 1e-3
    "at the beginning (Adam); falls with a cosine to a twentieth"
    teacher_share: float = 0.25
    "part of the training in which the teacher's share of the acting falls from 1 to 0"

    def __post_init__(self) -> None:
        for name in ("steps_per_iteration", "buffer_size", "batch_size", "updates"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.teacher_share <= 1 or self.learning_rate <= 0:
            raise ValueError("teacher_share must be in (0, 1] and learning_rate positive")


Method = Literal["teacher-student", "scratch"]

PhaseName = Literal["teacher", "student", "tune", "scratch"]


@dataclass(frozen=True)
class LowerLearnerConfig:
    """What is trained, for how many steps of all worlds together, with which networks."""

    method: Method = "teacher-student"
    "teacher-student: PPO teacher on the reference, DAgger, PPO; scratch: PPO on the deployed form alone"
    teacher_steps: int = 8_000_000
    "environment steps of the teacher"
    student_steps: int = 4_000_000
    "environment steps of the distillation"
    tune_steps: int = 6_000_000
    "environment steps of PPO on the student afterwards"
    tune_kick_m_s: float = 0.5
    "velocity kicks at the end of that phase; they grow from the teacher's over its second half"
    scratch_steps: int = 20_000_000
    "environment steps of the training from scratch"
    env: LowerTrainingConfig = field(default_factory=LowerTrainingConfig)
    teacher: ActorCriticConfig = field(default_factory=ActorCriticConfig)
    student_hidden: tuple[int, ...] = (256, 256, 128)
    "hidden layers of the deployed network (ELU)"
    tune_std: float = 0.06
    "standard deviation of the student's actions when PPO takes over, in units of its action scale"
    scratch_std: float = 0.3
    "first standard deviation of the training from scratch"
    ppo: PpoConfig = field(default_factory=PpoConfig)
    tune_ppo: PpoConfig = field(
        default_factory=lambda: PpoConfig(
            learning_rate=1e-4, max_learning_rate=5e-4, target_kl=0.01, entropy_coefficient=0.0
        )
    )
    "settings of the last phase"
    distillation: DistillationConfig = field(default_factory=DistillationConfig)

    def phases(self) -> tuple[tuple[PhaseName, int], ...]:
        """Phases in order, with their steps."""
        if self.method == "scratch":
            return (("scratch", self.scratch_steps),)
        named: tuple[tuple[PhaseName, int], ...] = (
            ("teacher", self.teacher_steps),
            ("student", self.student_steps),
            ("tune", self.tune_steps),
        )
        return tuple((name, steps) for name, steps in named if steps > 0)
