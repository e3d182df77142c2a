"""Training environment of pi_upper: arms on a fixed base, half in free space with forces on the hands, half at a box.

Every arm is an agent of its own (2N rows, left-canonical), rewarded for its own hand as in Table III.

Contact: a stiffly blocked hand cannot reduce its position error, so Table III alone would teach it to push with all it
has, or with whatever it happened to learn. The position kernels therefore look at a *compliant* target: the command
moved by the horizontal external force over `contact_stiffness_n_m`, as if the hand hung on springs. In free space that
is the command itself; in contact it makes the squeeze force proportional to how far the command is inside the object.
Vertical forces are not yielded to: a payload must not pull the hand down.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.backends.base import InitialState, Physics, SimulatedBackend
from core.backends.mujoco import MujocoBackend, default_initial_state
from core.control.arm_chain import VECTOR_MIRROR, join_arms, mirror_sides, split_arms
from core.control.training import upper_rewards as reward
from core.control.training.arm_bank import ArmBank, build_bank
from core.control.training.grasp_scripts import GraspConfig, episode_time_s, grasp_scene, sample_scripts
from core.control.training.hand_commands import CommandConfig, FreeCommands, uniform
from core.control.training.upper_disturbances import BaseMotion, DisturbanceConfig, HandForces
from core.control.upper import ACTION_LIMIT_RAD, Arms, arm_targets, arms_of, near_command, observation
from core.rigid import rotation_error
from core.rl.env import EnvStep, Observation
from core.t1.model import ARMS, DEFAULT_JOINT_POS, HAND_LINKS
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, JointTarget, WorldState, gripper_open

MIN_CONTACT_FORCE_N = 2.0
"""A hand with less horizontal force on it counts as free."""


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

    free_worlds: int = 192
    "robots in free space, with random forces on their hands"
    grasp_worlds: int = 64
    "robots that squeeze and lift a box"
    free_episode_s: float = 10.0
    "episode length"
    grasp_episode_s: float = 7.0
    "episode length"
    contact_stiffness_n_m: float = 700.0
    "horizontal force per metre that a blocked hand's command is off"
    contact_depth_m: float = 0.05
    "where this force stops growing: 35 N with the stiffness above"
    rewards: UpperRewardConfig = field(default_factory=UpperRewardConfig)
    "Table III"
    commands: CommandConfig = field(default_factory=CommandConfig)
    "motions in free space"
    grasps: GraspConfig = field(default_factory=GraspConfig)
    "squeeze-and-lift episodes"
    disturbances: DisturbanceConfig = field(default_factory=DisturbanceConfig)
    "base motion, forces, payload, actuation"
    scripts: int = 768
    "number of prepared squeeze-and-lift episodes"

    def __post_init__(self) -> None:
        if self.free_worlds < 1 or self.grasp_worlds < 0:
            raise ValueError(f"free_worlds >= 1 and grasp_worlds >= 0, got {self.free_worlds}, {self.grasp_worlds}")
        if self.contact_stiffness_n_m <= 0:
            raise ValueError(f"contact_stiffness_n_m must be positive, got {self.contact_stiffness_n_m}")


def randomise_actuation(physics: Physics, c: DisturbanceConfig, generator: torch.Generator) -> None:
    """Payload and PD gains (B17), in place."""
    m = len(physics.kp_scale)
    loaded = torch.rand(m, 1, generator=generator) < c.payload_share
    physics.payload_kg = torch.where(loaded, uniform(c.payload_kg, 2 * m, generator).reshape(m, 2), 0.0)
    physics.kp_scale = uniform(c.kp_scale, 29 * m, generator).reshape(m, 29)
    physics.kd_scale = uniform(c.kd_scale, 29 * m, generator).reshape(m, 29)


class FreeSpace:
    """Commands in free space, with forces on the hands."""

    STATE = ("commands", "forces")

    def __init__(self, c: UpperEnvConfig, bank: ArmBank, generator: torch.Generator) -> None:
        self.num_worlds, self.episode_steps = c.free_worlds, round(c.free_episode_s / CONTROL_PERIOD_S)
        self.scene = Scene("fixed_base_free", robot="fixed_base", contacts="locomotion")
        self._disturbances, self._generator = c.disturbances, generator
        self.commands = FreeCommands(bank, c.free_worlds, c.commands, generator)
        self.forces = HandForces(c.free_worlds, c.disturbances, generator)

    def reset(self, worlds: Tensor) -> tuple[InitialState, Physics]:
        """Arms at the start of new commands."""
        initial = default_initial_state(self.scene, len(worlds))
        arms = self.commands.reset(worlds)
        arms = arms + 0.05 * torch.randn(arms.shape, generator=self._generator)
        initial.joint_pos[:, ARMS] = join_arms(arms.reshape(-1, 7))
        physics = Physics.nominal(len(worlds))
        randomise_actuation(physics, self._disturbances, self._generator)
        self.forces.reset(worlds)
        return initial, physics

    def command(self) -> tuple[Tensor, Tensor]:
        """Command rows of the coming control period."""
        return self.commands.advance()

    def force(self, scale: float) -> Float[Tensor, "N 2 3"]:
        """External force on each hand for the coming control period."""
        return self.forces.advance(scale)


class Grasping:
    """Squeezing and lifting a box; the box is the disturbance."""

    STATE = ("_episode", "_steps")

    def __init__(self, c: UpperEnvConfig, generator: torch.Generator) -> None:
        self.num_worlds, self.episode_steps = c.grasp_worlds, round(c.grasp_episode_s / CONTROL_PERIOD_S)
        self.scene = grasp_scene()
        self._disturbances, self._generator = c.disturbances, generator
        self._library = sample_scripts(c.scripts, c.grasps, generator)
        self._episode = torch.zeros(c.grasp_worlds, dtype=torch.int64)
        self._steps = torch.zeros(c.grasp_worlds, dtype=torch.int64)
        self._running = self._library.select(self._episode)

    def reset(self, worlds: Tensor) -> tuple[InitialState, Physics]:
        """Arms beside another box."""
        self._episode[worlds] = torch.randint(0, len(self._library), (len(worlds),), generator=self._generator)
        self._steps[worlds] = 0
        self._running = self._library.select(self._episode)
        initial, physics = self._library.select(self._episode[worlds]).initial()
        randomise_actuation(physics, self._disturbances, self._generator)
        physics.payload_kg *= 0.3  # the box is the load here
        return initial, physics

    def command(self) -> tuple[Tensor, Tensor]:
        """Command rows of the coming control period."""
        self._steps += 1
        return self._running.hands(episode_time_s(self._steps))

    def force(self, scale: float) -> Float[Tensor, "N 2 3"]:
        """None but the box's."""
        return torch.zeros(self.num_worlds, 2, 3)

    def refresh(self) -> None:
        """After a resume: take the restored episodes into use."""
        self._running = self._library.select(self._episode)


class ArmWorlds:
    """One kind of episode in N worlds of one backend: steps them, computes observations and rewards for 2N arms."""

    STATE = ("_age", "_last_action", "_last_velocity", "_last_hand", "_hand_velocity", "_force", "_gravity_b", "motion")
    FORCE_SMOOTHING = 0.3

    def __init__(self, kind: FreeSpace | Grasping, c: UpperEnvConfig, generator: torch.Generator, threads: int) -> None:
        self.kind, self._config, self._generator = kind, c, generator
        self.backend: SimulatedBackend = MujocoBackend(kind.scene, kind.num_worlds, threads)
        n = kind.num_worlds
        self.motion = BaseMotion(n, c.disturbances, generator)
        self._age = torch.zeros(n, dtype=torch.int64)
        self._last_action, self._last_velocity = torch.zeros(2 * n, 7), torch.zeros(2 * n, 7)
        self._last_hand, self._hand_velocity = torch.zeros(2 * n, 3), torch.zeros(2 * n, 3)
        self._force, self._gravity_b = torch.zeros(2 * n, 3), torch.zeros(n, 3)
        self._command: tuple[Tensor, Tensor] = (torch.zeros(2 * n, 3), torch.zeros(2 * n, 4))

    def reset(self) -> Tensor:
        """Start every world at a random age, so that episodes do not end together. Returns observation rows."""
        n = self.kind.num_worlds
        self._start(torch.arange(n))
        self._age = torch.randint(0, self.kind.episode_steps, (n,), generator=self._generator)
        return self._prepare()

    def step(
        self, action: Float[Tensor, "M 7"], progress: float
    ) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], dict[str, Tensor]]:
        """Rows of observation, reward, truncated, observation before resets; and terms to log."""
        action = action.clamp(-ACTION_LIMIT_RAD, ACTION_LIMIT_RAD)
        diverged = self.backend.step(self._target(action)).diverged
        state = self.backend.read_state()
        arms = arms_of(state, self._gravity_b)
        rewards, log = self._reward(state, arms, action, progress)
        self._last_action = action
        self._age += 1
        final = self._observe(arms)
        ended = (self._age >= self.kind.episode_steps) | diverged
        if bool(ended.any()):
            self._start(ended.nonzero().squeeze(1))
        return (self._prepare(progress), rewards, _both(ended), final), log

    def _start(self, worlds: Tensor) -> None:
        initial, physics = self.kind.reset(worlds)
        self.motion.reset(worlds)
        self.backend.reset(worlds, initial, physics)
        rows = (2 * worlds[:, None] + torch.tensor([0, 1])).flatten()
        arms = arms_of(self.backend.read_state())
        self._age[worlds] = 0
        for name in ("_last_action", "_last_velocity", "_hand_velocity", "_force"):
            getattr(self, name)[rows] = 0.0
        self._last_hand[rows] = arms.hand_pos_b[rows]

    def _prepare(self, progress: float = 0.0) -> Tensor:
        """Next command, base motion and forces, and what the policy sees of them."""
        self._command = self.kind.command()
        self._gravity_b, felt = self.motion.advance()
        self.backend.set_gravity(felt)
        force = self.kind.force(ramp(progress, 0.05, 0.4))
        if bool(force.any()):
            for side, body in enumerate(HAND_LINKS):
                self.backend.apply_wrench(body, force[:, side], torch.zeros_like(force[:, side]))
        self._applied = mirror_sides(force, VECTOR_MIRROR).reshape(-1, 3)
        return self._observe(arms_of(self.backend.read_state(), self._gravity_b))

    def _observe(self, arms: Arms) -> Tensor:
        pos, quat = near_command(arms, *self._command)
        return observation(arms, pos, quat, self._last_action)

    def _target(self, action: Tensor) -> JointTarget:
        n = self.kind.num_worlds
        position = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(n, 1)
        position[:, ARMS] = arm_targets(action)
        return JointTarget(position, gripper_open(n), torch.zeros(n, dtype=torch.bool))

    def _reward(
        self, state: WorldState, arms: Arms, action: Tensor, progress: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        w = self._config.rewards
        pos_error, rot_error = self._errors(state, arms)
        velocity = (arms.hand_pos_b - self._last_hand) / CONTROL_PERIOD_S
        hand_acceleration = (velocity - self._hand_velocity) / CONTROL_PERIOD_S
        acceleration = (arms.joint_vel - self._last_velocity) / CONTROL_PERIOD_S
        torque = split_arms(state.joint_torque[:, ARMS])
        terms = {
            "position": w.position
            * reward.kernels(pos_error, reward.POSITION_SIGMAS_M + reward.EXTRA_POSITION_SIGMAS_M),
            "rotation": w.rotation
            * reward.kernels(rot_error, reward.ROTATION_SIGMAS_RAD + reward.EXTRA_ROTATION_SIGMAS_RAD),
            "posture": w.posture * reward.posture(arms.joint_pos),
            "action_change": between(w.action_change, progress) * reward.squared(action - self._last_action),
            "joint_velocity": between(w.joint_velocity, progress) * reward.squared(arms.joint_vel),
            "joint_acceleration": between(w.joint_acceleration, progress) * reward.squared(acceleration),
            "hand_acceleration": w.hand_acceleration * hand_acceleration.norm(dim=-1),
            "torque_limit": w.torque_limit * reward.torque_excess(torque),
            "joint_limit": w.joint_limit * reward.limit_excess(arms.joint_pos),
        }
        self._last_hand, self._hand_velocity = arms.hand_pos_b.clone(), velocity
        self._last_velocity = arms.joint_vel.clone()
        total = torch.stack(list(terms.values())).sum(dim=0) * CONTROL_PERIOD_S
        settled = _both(self._age > 25)
        log = {f"reward/{name}": value.mean() for name, value in terms.items()}
        log["position_error_cm"] = 100 * _mean_where(pos_error.norm(dim=-1), settled)
        log["rotation_error_deg"] = torch.rad2deg(_mean_where(rot_error.norm(dim=-1), settled))
        return total, log

    def _errors(self, state: WorldState, arms: Arms) -> tuple[Tensor, Tensor]:
        """Position error to the compliant target, and rotation error; base axes."""
        contact = mirror_sides(state.hand_force_w, VECTOR_MIRROR).reshape(-1, 3)  # the base is level and fixed
        self._force = self._force + self.FORCE_SMOOTHING * (contact + self._applied - self._force)
        down = mirror_sides(self._gravity_b[:, None].expand(-1, 2, -1), VECTOR_MIRROR).reshape(-1, 3)
        horizontal = self._force - (self._force * down).sum(dim=-1, keepdim=True) * down
        pos, quat = self._command
        return self._compliant_error(pos - arms.hand_pos_b, horizontal), rotation_error(arms.hand_quat_b, quat)

    def _compliant_error(self, error: Tensor, horizontal: Tensor) -> Tensor:
        c = self._config
        near = error * (c.contact_depth_m / error.norm(dim=-1, keepdim=True).clamp_min(c.contact_depth_m))
        pushed = horizontal.norm(dim=-1, keepdim=True) > MIN_CONTACT_FORCE_N
        return torch.where(pushed, near, error) + horizontal / c.contact_stiffness_n_m


class UpperTraining:
    """Vector environment of 2 (free + grasp) worlds' arms. `progress` (0 to 1) drives the curricula."""

    def __init__(self, config: UpperEnvConfig, seed: int, num_threads: int = 0) -> None:
        self.progress = 0.0
        self.generator = torch.Generator().manual_seed(seed)
        bank = build_bank()
        kinds: list[FreeSpace | Grasping] = [FreeSpace(config, bank, self.generator)]
        if config.grasp_worlds:
            kinds.append(Grasping(config, self.generator))
        self.groups = [ArmWorlds(kind, config, self.generator, num_threads) for kind in kinds]
        self._sizes = [2 * group.kind.num_worlds for group in self.groups]

    @property
    def num_agents(self) -> int:
        return sum(self._sizes)

    def reset(self) -> Observation:
        """Start every episode."""
        rows = torch.cat([group.reset() for group in self.groups])
        return Observation(rows, rows)

    def step(self, action: Float[Tensor, "N 7"]) -> EnvStep:
        """One control period of all arms."""
        names = ("free", "grasp")
        results = [
            group.step(part, self.progress) for group, part in zip(self.groups, action.split(self._sizes), strict=True)
        ]
        rows, rewards, truncated, final = (torch.cat(parts) for parts in zip(*(tensors for tensors, _ in results)))
        log = {f"{name}/{key}": value for name, (_, terms) in zip(names, results) for key, value in terms.items()}
        return EnvStep(Observation(rows, rows), rewards, torch.zeros_like(truncated), truncated, final, log)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as flat tensors."""
        state = {"generator": self.generator.get_state(), "progress": torch.tensor(self.progress, dtype=torch.float64)}
        for i, group in enumerate(self.groups):
            snapshot = torch.frombuffer(bytearray(group.backend.snapshot()), dtype=torch.uint8)
            state |= {f"{i}.backend": snapshot, f"{i}.command.pos": group._command[0]}
            state |= {f"{i}.command.quat": group._command[1], f"{i}.applied": group._applied}
            for prefix, owner in _parts(group):
                state |= {f"{i}.{prefix}{name}": getattr(owner, name) for name in _tensors(owner)}
        return {name: value.detach().clone() for name, value in state.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> Observation:
        """Inverse of `state_dict`; returns the observation that the next action answers."""
        self.generator.set_state(state["generator"])
        self.progress = float(state["progress"])
        for i, group in enumerate(self.groups):
            group.backend.restore(state[f"{i}.backend"].numpy().tobytes())
            group._command = (state[f"{i}.command.pos"].clone(), state[f"{i}.command.quat"].clone())
            group._applied = state[f"{i}.applied"].clone()
            for prefix, owner in _parts(group):
                for name in _tensors(owner):
                    setattr(owner, name, state[f"{i}.{prefix}{name}"].clone())
            if isinstance(group.kind, Grasping):
                group.kind.refresh()
        rows = torch.cat(
            [group._observe(arms_of(group.backend.read_state(), group._gravity_b)) for group in self.groups]
        )
        return Observation(rows, rows)

    def close(self) -> None:
        """Stop the simulators."""
        for group in self.groups:
            group.backend.close()


def _parts(group: ArmWorlds) -> list[tuple[str, Any]]:
    """Everything in a group that holds state tensors, with a name prefix."""
    parts: list[tuple[str, Any]] = [("", group), ("motion.", group.motion), ("kind.", group.kind)]
    if isinstance(group.kind, FreeSpace):
        parts += [("commands.", group.kind.commands), ("forces.", group.kind.forces)]
    return parts


def _tensors(owner: Any) -> list[str]:
    return [name for name in owner.STATE if isinstance(getattr(owner, name), Tensor)]


def _both(worlds: Bool[Tensor, "N"]) -> Bool[Tensor, "2*N"]:
    return worlds[:, None].expand(-1, 2).reshape(-1)


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return values[mask].mean() if bool(mask.any()) else values.mean()


def ramp(progress: float, start: float, end: float) -> float:
    """0 before `start`, 1 after `end`, linear between."""
    return min(1.0, max(0.0, (progress - start) / (end - start)))


def between(pair: tuple[float, float], progress: float) -> float:
    """Curriculum weight: from the first to the second value over the first half of the training."""
    return pair[0] + ramp(progress, 0.0, 0.5) * (pair[1] - pair[0])
