"""Training environment of pi_upper: hands in free space, at a box, and on a walking robot.

Every arm is an agent of its own (2N rows, left-canonical), rewarded for its own hand as in Table III.

Contact: a stiffly blocked hand cannot reduce its position error, so Table III alone would teach it to push with all it
has, or with whatever it happened to learn. The position kernels therefore look at a *compliant* target: the command
moved by the horizontal external force over `contact_stiffness_n_m`, as if the hand hung on springs. In free space that
is the command itself; in contact it makes the squeeze force proportional to how far the command is inside the object.
Vertical forces are not yielded to: a payload must not pull the hand down.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.backends.base import SimulatedBackend
from core.backends.mujoco import MujocoBackend
from core.control.arm_chain import VECTOR_MIRROR, mirror_sides, split_arms
from core.control.training import upper_rewards as reward
from core.control.training.arm_bank import build_bank
from core.control.training.late_targets import LateTargets
from core.control.training.upper_config import UpperEnvConfig
from core.control.training.upper_episodes import Episodes, Parts, make_episodes
from core.control.upper import (
    ACTION_LIMIT_RAD,
    Arms,
    action_at_rest,
    arm_targets,
    arms_of,
    near_command,
    observation,
    sent_action,
)
from core.draws import uniform
from core.rigid import quat_rotate, quat_rotate_inv, rotation_error
from core.rl.env import EnvStep, Observation
from core.t1.model import ARMS, DEFAULT_JOINT_POS, HAND_LINKS, LEGS, LOWER_LIMIT, UPPER_LIMIT
from core.types import CONTROL_PERIOD_S, JointTarget, WorldState, gripper_open

_LOWER, _UPPER = (torch.tensor(limits[ARMS], dtype=torch.float32) for limits in (LOWER_LIMIT, UPPER_LIMIT))
MIN_CONTACT_FORCE_N = 2.0
"""A hand with less horizontal force on it counts as free."""


class ArmWorlds:
    """One kind of episode in N worlds of one backend: steps them, computes observations and rewards for 2N arms."""

    STATE = ("_age", "_sent", "_last_velocity", "_last_hand", "_hand_velocity", "_force", "_applied")
    FORCE_SMOOTHING = 0.3

    def __init__(self, kind: Episodes, c: UpperEnvConfig, generator: torch.Generator, threads: int) -> None:
        self.kind, self._config, self._generator = kind, c, generator
        self.backend: SimulatedBackend = MujocoBackend(kind.scene, kind.num_worlds, threads)
        n = kind.num_worlds
        self._age = torch.zeros(n, dtype=torch.int64)
        self._sent, self._last_velocity = torch.zeros(2 * n, 7), torch.zeros(2 * n, 7)
        self._last_hand, self._hand_velocity = torch.zeros(2 * n, 3), torch.zeros(2 * n, 3)
        self._force, self._applied = torch.zeros(2 * n, 3), torch.zeros(2 * n, 3)
        self._command: tuple[Tensor, Tensor] = (torch.zeros(2 * n, 3), torch.zeros(2 * n, 4))
        self._delays_s = c.episodes.disturbances.target_delay_s
        self._late = LateTargets(n, len(ARMS), self._delays_s[1])

    def reset(self) -> Tensor:
        """Start every world at a random age, so that episodes do not end together. Returns observation rows."""
        n = self.kind.num_worlds
        self._start(torch.arange(n))
        self._age = torch.randint(0, self.kind.episode_steps, (n,), generator=self._generator)
        return self._prepare()

    def step(
        self, action: Float[Tensor, "M 7"], progress: float
    ) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor, Tensor], dict[str, Tensor]]:
        """Rows of observation, reward, terminated, truncated, observation before resets; and terms to log."""
        action = action.clamp(-ACTION_LIMIT_RAD, ACTION_LIMIT_RAD)
        asked = action - self._sent
        self._sent = sent_action(self._sent, action)
        diverged = self.backend.step(self._target()).diverged
        state = self.backend.read_state()
        arms = self._arms(state)
        rewards, log = self._reward(state, arms, asked, progress)
        self._age += 1
        final = self._observe(arms)
        fallen = self.kind.fallen(state) & ~diverged
        ended = ((self._age >= self.kind.episode_steps) | diverged) & ~fallen
        over = fallen | ended
        if bool(over.any()):
            self._start(over.nonzero().squeeze(1))
        return (self._prepare(progress), rewards, _both(fallen), _both(ended), final), log

    def parts(self) -> Parts:
        """Everything here that holds state tensors, but the command."""
        own = {"": (self, self.STATE), "late.": (self._late, LateTargets.STATE)}
        return own | {f"kind.{prefix}": part for prefix, part in self.kind.parts().items()}

    def look(self) -> Tensor:
        """Observation rows of now."""
        return self._observe(self._arms(self.backend.read_state()))

    def _start(self, worlds: Tensor) -> None:
        initial, physics = self.kind.reset(worlds)
        self.backend.reset(worlds, initial, physics)
        state = self.backend.read_state()
        self.kind.begin(worlds, state)
        rows = (2 * worlds[:, None] + torch.tensor([0, 1])).flatten()
        arms = arms_of(state)
        self._age[worlds] = 0
        for name in ("_last_velocity", "_hand_velocity", "_force"):
            getattr(self, name)[rows] = 0.0
        self._last_hand[rows] = arms.hand_pos_b[rows]
        self._sent[rows] = action_at_rest(arms)[rows]
        late = self._delays_s[1] > 0.0  # else the generator is left as it is
        delay_s = uniform(self._delays_s, len(worlds), self._generator) if late else torch.zeros(len(worlds))
        self._late.begin(worlds, state.joint_pos[worlds][:, ARMS], delay_s)

    def _prepare(self, progress: float = 0.0) -> Tensor:
        """Next command, base motion and forces, and what the policy sees of them."""
        self._command = self.kind.command()
        self.kind.move_base(self.backend)
        force_b = self.kind.force_b(ramp(progress, 0.05, 0.4))
        state = self.backend.read_state()
        if bool(force_b.any()):
            force_w = quat_rotate(state.base_quat_w[:, None], force_b)
            for side, body in enumerate(HAND_LINKS):
                self.backend.apply_wrench(body, force_w[:, side], torch.zeros_like(force_w[:, side]))
        self._applied = mirror_sides(force_b, VECTOR_MIRROR).reshape(-1, 3)
        return self._observe(self._arms(state))

    def _arms(self, state: WorldState) -> Arms:
        return arms_of(state, self.kind.gravity_b(state))

    def _observe(self, arms: Arms) -> Tensor:
        pos, quat = near_command(arms, *self._command)
        return observation(arms, pos, quat, self._sent)

    def _target(self) -> JointTarget:
        n = self.kind.num_worlds
        position = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(n, 1)
        position[:, LEGS] = self.kind.leg_targets(self.backend.read_state())
        position[:, ARMS] = self._arriving(arm_targets(self._sent))
        return JointTarget(position, gripper_open(n), torch.zeros(n, dtype=torch.bool))

    def _arriving(self, sent: Float[Tensor, "N 14"]) -> Float[Tensor, "N 14"]:
        """What the joints obey: late targets go through a robot's agent, which keeps them within the joint limits."""
        if self._delays_s[1] == 0.0:
            return sent
        return self._late.arriving(sent.clamp(_LOWER, _UPPER))

    def _reward(
        self, state: WorldState, arms: Arms, asked: Tensor, progress: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """`asked`: the policy's actions minus those sent last."""
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
            "action_change": between(w.action_change, progress) * reward.squared(asked),
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
        force_b = quat_rotate_inv(state.base_quat_w[:, None], state.hand_force_w)
        contact = mirror_sides(force_b, VECTOR_MIRROR).reshape(-1, 3)
        self._force = self._force + self.FORCE_SMOOTHING * (contact + self._applied - self._force)
        upward = (self._force * arms.gravity_b).sum(dim=-1, keepdim=True)
        horizontal = self._force - upward * arms.gravity_b
        pos, quat = self._command
        return self._compliant_error(pos - arms.hand_pos_b, horizontal), rotation_error(arms.hand_quat_b, quat)

    def _compliant_error(self, error: Tensor, horizontal: Tensor) -> Tensor:
        c = self._config
        near = error * (c.contact_depth_m / error.norm(dim=-1, keepdim=True).clamp_min(c.contact_depth_m))
        pushed = horizontal.norm(dim=-1, keepdim=True) > MIN_CONTACT_FORCE_N
        return torch.where(pushed, near, error) + horizontal / c.contact_stiffness_n_m


class UpperTraining:
    """Vector environment of all worlds' arms, two a world. `progress` (0 to 1) drives the curricula."""

    def __init__(self, config: UpperEnvConfig, seed: int, num_threads: int = 0) -> None:
        self.progress = 0.0
        self.generator = torch.Generator().manual_seed(seed)
        kinds = make_episodes(config.episodes, build_bank(), self.generator)
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
        results = [
            group.step(part, self.progress) for group, part in zip(self.groups, action.split(self._sizes), strict=True)
        ]
        rows, rewards, terminated, truncated, final = (
            torch.cat(parts) for parts in zip(*(tensors for tensors, _ in results), strict=True)
        )
        log = {
            f"{group.kind.name}/{key}": value
            for group, (_, terms) in zip(self.groups, results, strict=True)
            for key, value in terms.items()
        }
        return EnvStep(Observation(rows, rows), rewards, terminated, truncated, final, log)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as flat tensors."""
        state = {"generator": self.generator.get_state(), "progress": torch.tensor(self.progress, dtype=torch.float64)}
        for i, group in enumerate(self.groups):
            snapshot = torch.frombuffer(bytearray(group.backend.snapshot()), dtype=torch.uint8)
            state |= {f"{i}.backend": snapshot}
            state |= {f"{i}.command.pos": group._command[0], f"{i}.command.quat": group._command[1]}
            for prefix, (owner, names) in group.parts().items():
                values = {f"{i}.{prefix}{name}": getattr(owner, name) for name in names}
                state |= {key: value for key, value in values.items() if value is not None}
        return {name: value.detach().clone() for name, value in state.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> Observation:
        """Inverse of `state_dict`; returns the observation that the next action answers."""
        self.generator.set_state(state["generator"])
        self.progress = float(state["progress"])
        for i, group in enumerate(self.groups):
            group.backend.restore(state[f"{i}.backend"].numpy().tobytes())
            group._command = (state[f"{i}.command.pos"].clone(), state[f"{i}.command.quat"].clone())
            for prefix, (owner, names) in group.parts().items():
                for name in names:
                    value = state.get(f"{i}.{prefix}{name}")  # what had not acted before the save has no last action
                    setattr(owner, name, None if value is None else value.clone())
            group.kind.refresh()
        rows = torch.cat([group.look() for group in self.groups])
        return Observation(rows, rows)

    def close(self) -> None:
        """Stop the simulators."""
        for group in self.groups:
            group.backend.close()


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
