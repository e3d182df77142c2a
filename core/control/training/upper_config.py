"""How pi_upper is trained (no torch: forms and command lines read it)."""

from dataclasses import dataclass, field
from pathlib import Path

from core.control.training.motion_configs import CommandConfig, DisturbanceConfig, GraspConfig, WalkCommandConfig
from core.rl.ppo_config import ActorCriticConfig, PpoConfig


@dataclass(frozen=True)
class EpisodeConfig:
    """How many robots do what."""

    free_worlds: int = 128
    "robots on a fixed base in free space, with random forces on their hands"
    grasp_worlds: int = 64
    "robots that squeeze and lift a box"
    walk_worlds: int = 64
    "robots that stand and walk on a trained pi_lower"
    legs: Path | None = None
    "checkpoint of that pi_lower; the shipped one when not given"
    free_episode_s: float = 10.0
    "episode length"
    grasp_episode_s: float = 7.0
    "episode length"
    walk_episode_s: float = 10.0
    "episode length, unless the robot falls"
    commands: CommandConfig = field(default_factory=CommandConfig)
    "hand motions in free space and while walking"
    walks: WalkCommandConfig = field(default_factory=lambda: WalkCommandConfig(stand_share=0.5))
    "base velocities of the walking robots"
    grasps: GraspConfig = field(default_factory=GraspConfig)
    "squeeze-and-lift episodes"
    disturbances: DisturbanceConfig = field(default_factory=DisturbanceConfig)
    "base motion, forces, payload, actuation"
    scripts: int = 768
    "number of prepared squeeze-and-lift episodes"

    def __post_init__(self) -> None:
        if self.free_worlds < 1 or self.grasp_worlds < 0 or self.walk_worlds < 0:
            raise ValueError(
                "free_worlds >= 1, grasp_worlds >= 0 and walk_worlds >= 0 are needed, got "
                f"{self.free_worlds}, {self.grasp_worlds}, {self.walk_worlds}"
            )


@dataclass(frozen=True)
class UpperRewardConfig:
    """Weights of Table III; pairs are (first, last) of a curriculum over the training."""

    position: float = 2.0
    "each position kernel (B38), and the extra ones"
    rotation: float = 1.0
    "each rotation kernel (B39), and the extra ones"
    posture: float = -0.2
    "B40"
    action_change: tuple[float, float] = (-0.01, -0.1)
    "B41"
    joint_velocity: tuple[float, float] = (-1e-3, -2e-3)
    "B42"
    joint_acceleration: tuple[float, float] = (-1e-6, -3e-6)
    "B43"
    hand_acceleration: float = -1.4e-2
    "B44"
    torque_limit: float = -0.1
    "B45"
    joint_limit: float = -4.0
    "B46"


@dataclass(frozen=True)
class UpperEnvConfig:
    """The training environment of pi_upper."""

    episodes: EpisodeConfig = field(default_factory=EpisodeConfig)
    "robots, commands, disturbances"
    contact_stiffness_n_m: float = 700.0
    "horizontal force per metre that a blocked hand's command is off"
    contact_depth_m: float = 0.05
    "where this force stops growing: 35 N with the stiffness above"
    rewards: UpperRewardConfig = field(default_factory=UpperRewardConfig)
    "Table III"

    def __post_init__(self) -> None:
        if self.contact_stiffness_n_m <= 0:
            raise ValueError(f"contact_stiffness_n_m must be positive, got {self.contact_stiffness_n_m}")


@dataclass(frozen=True)
class UpperLearnerConfig:
    """What is trained, for how many steps of all robots together, with which networks."""

    steps: int = 2_000_000
    "control periods of all robots together (two arms each)"
    begin_with: Path | None = None
    "train on from the policy of this controller checkpoint, with a new critic; from random weights when not given"
    env: UpperEnvConfig = field(default_factory=UpperEnvConfig)
    "robots, commands, rewards, disturbances"
    networks: ActorCriticConfig = field(
        default_factory=lambda: ActorCriticConfig((256, 128), (256, 128), initial_std=0.3, min_std=0.03)
    )
    "actor and critic; both see Table I's manipulation column (B21)"
    ppo: PpoConfig = field(
        default_factory=lambda: PpoConfig(
            steps_per_iteration=16, epochs=4, gamma=0.95, target_kl=0.015, entropy_coefficient=0.0005
        )
    )
    "optimiser"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be positive, got {self.steps}")
