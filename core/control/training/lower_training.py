"""Training environment of pi_lower: footsteps to follow, Table II's rewards, moving and loaded arms, pushes."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.backends.base import InitialState, Physics
from core.backends.mujoco import MujocoBackend
from core.backends.mujoco_scene import SolverOptions
from core.control import lower
from core.control.footsteps import STAND, FootstepCommand, FootstepPlanner, relative_planar, rotate_xy
from core.control.leg_chain import EFFORT, STIFFNESS
from core.control.mirror import Mirror, Part
from core.control.training import lower_rewards, lower_teacher
from core.control.training.arm_motion import ArmMotion, collision_free_poses
from core.control.training.gait import Reference, ReferenceGait
from core.control.training.lower_bank import ReferenceBank, standing_bank, walking_bank
from core.control.training.lower_config import LowerTrainingConfig
from core.control.training.walk_commands import WalkCommands
from core.rigid import quat_from_yaw, quat_rotate, quat_rotate_inv, wrap_angle, yaw_of
from core.rl.env import EnvStep, Observation
from core.t1.model import ARMS, DEFAULT_JOINT_POS, KD, LEGS, NUM_JOINTS, TOTAL_MASS_KG
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, JointTarget, WorldState

Form = Literal["residual", "offset"]
"""residual: action added to the reference, reference in the observation (teacher); offset: the paper's form."""

CRITIC_PARTS = (
    *lower_teacher.PARTS,
    Part("base_linear_velocity", 3, "vector"),
    Part("reference_velocity", 2, "plane"),
    Part("foot_wrench", 6, "feet"),
    Part("reference_feet", 6, "feet"),
    Part("current_feet", 6, "feet"),
    Part("command", 3, "planar"),
    Part("hand_wrench", 6, "feet"),
    Part("randomisation", 3, "same"),
)
MIN_TRUNK_HEIGHT_M = 0.45
MIN_UPRIGHT = 0.75
"""Cosine of the tilt at which an episode ends."""


class LowerTraining:
    """N robots that learn to step where they are told. Implements `core.rl.env.VectorEnv`."""

    def __init__(self, config: LowerTrainingConfig, form: Form, seed: int, num_threads: int = 1) -> None:
        self.config = config
        self.form: Form = form
        n = config.num_worlds
        self.generator = torch.Generator().manual_seed(seed)
        solver = SolverOptions(config.physics_step_s, "pyramidal", 1.0, 10, 10)
        self.backend = MujocoBackend(Scene("walking", contacts="locomotion"), n, num_threads, solver)
        self.planner = FootstepPlanner(n, config.footsteps)
        self.gait = ReferenceGait(n, config.gait, config.footsteps)
        self.commands = WalkCommands(n, config.commands, self.generator)
        poses = collision_free_poses(config.arms.poses, seed)
        self.arms = ArmMotion(n, poses, config.arms, self.generator)
        self._noise = torch.tensor(config.step_noise)
        walks, stands = self._banks(poses, seed)
        self._walks, self._bank = len(walks), walks.joined(stands)
        self._mirror_student, self._mirror_critic = Mirror(lower.PARTS), Mirror(CRITIC_PARTS)
        self._kd = torch.tensor(KD[LEGS], dtype=torch.float32)
        self._joint_target = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(n, 1)
        self.progress = 0.0
        "0 to 1, set by the trainer: curricula follow it"
        self.kick_m_s = config.kick_m_s
        "set by the trainer: velocity kicks may grow beyond the config's"

        self.steps = torch.zeros(n, dtype=torch.long)
        self.air_time = torch.zeros(n, 2)
        self.last_offset = torch.zeros(n, 12)
        self.last_residual = torch.zeros(n, 12)
        self.hand_force_b = torch.zeros(n, 2, 3)
        self.payload = torch.zeros(n, 2)
        self.friction = torch.ones(n)
        self.state: WorldState = self.backend.read_state()
        self.command: FootstepCommand = self.planner.command(torch.zeros(n, dtype=torch.bool))
        self.reference: Reference = self.gait.update(self.state, self.command)
        self._look()

    @property
    def num_agents(self) -> int:
        """Worlds."""
        return self.config.num_worlds

    @property
    def observation_sizes(self) -> tuple[int, int]:
        """Actor, critic."""
        actor = lower_teacher.PARTS if self.form == "residual" else lower.PARTS
        return sum(part.size for part in actor), sum(part.size for part in CRITIC_PARTS)

    @property
    def ramp(self) -> float:
        """0 before the ramp of the curricula, 1 after it."""
        low, high = self.config.ramp
        return min(max((self.progress - low) / (high - low), 0.0), 1.0)

    def reset(self) -> Observation:
        """Start every episode, at random ages so that they do not end together."""
        worlds = torch.arange(self.num_agents)
        self._reset(worlds)
        limit = round(self.config.episode_s / CONTROL_PERIOD_S)
        self.steps = torch.randint(limit, (self.num_agents,), generator=self.generator)
        return self._observe()

    def step(self, action: Float[Tensor, "N 12"]) -> EnvStep:
        """One control period; `action` has the swing leg on the left."""
        unmirrored = lower.unmirror_action(action, self.command)
        if self.form == "offset":
            return self.step_targets(lower.leg_targets(unmirrored), self.last_residual)
        return self.step_targets(lower_teacher.residual_targets(self.reference, unmirrored), unmirrored)

    def step_targets(self, legs: Float[Tensor, "N 12"], residual: Float[Tensor, "N 12"]) -> EnvStep:
        """One control period with given leg targets (robot order); `residual` is what the teacher would see next."""
        self._disturb()
        self._joint_target[:, LEGS] = legs
        self._joint_target[:, ARMS] = self.arms.update()
        n = self.num_agents
        before_vel = self.state.joint_vel[:, LEGS].clone()
        report = self.backend.step(JointTarget(self._joint_target, torch.zeros(n, 2), torch.zeros(n, dtype=torch.bool)))
        self.state = self.backend.read_state()
        self.steps += 1
        reward, log, lost = self._reward(legs, before_vel)
        terminated = lost | report.diverged
        truncated = ~terminated & (self.steps >= round(self.config.episode_s / CONTROL_PERIOD_S))
        self.last_offset, self.last_residual = lower.action_of(legs), residual
        self._advance()
        self._look()
        final = self.critic_observation()
        done = (terminated | truncated).nonzero().squeeze(-1)
        if len(done):
            self._reset(done)
        return EnvStep(self._observe(), reward, terminated, truncated, final, log)

    # -- observations ------------------------------------------------------------------------------------------------

    def student_observation(self) -> Float[Tensor, "N 50"]:
        """What the deployed controller sees."""
        return self._mirror_student(self._seen[:, : lower.LAYOUT.obs_size], lower.mirrored(self.command))

    def teacher_observation(self) -> Float[Tensor, "N D"]:
        """Table I, the feet by forward kinematics, and the reference."""
        return lower_teacher.mirror(self._seen[:, : lower_teacher.LAYOUT.obs_size], self.command)

    def critic_observation(self) -> Float[Tensor, "N D"]:
        """What the teacher sees, and what only the simulator knows."""
        return self._mirror_critic(self._seen, lower.mirrored(self.command))

    def _observe(self) -> Observation:
        self._look()
        actor = self.teacher_observation() if self.form == "residual" else self.student_observation()
        return Observation(actor, self.critic_observation())

    def _look(self) -> None:
        """The critic's observation, not mirrored: it begins with the teacher's, and that with the student's."""
        state, reference = self.state, self.reference
        yaw = yaw_of(state.base_quat_w)
        feet = quat_rotate_inv(state.base_quat_w[:, None], state.foot_pos_w - state.base_pos_w[:, None])
        goal = quat_rotate_inv(state.base_quat_w[:, None], reference.foot_w[..., :3] - state.base_pos_w[:, None])
        rows = (self.gait.com_offset_b, self.last_offset, self.last_residual)
        parts = (
            lower_teacher.parts(state, self.command, reference, *rows, self.config.footsteps.swing_s),
            state.base_lin_vel_b,
            rotate_xy(-yaw, reference.base_vel_w),
            quat_rotate_inv(quat_from_yaw(yaw)[:, None], state.foot_force_w).flatten(1) / (TOTAL_MASS_KG * 9.81),
            goal.flatten(1),
            feet.flatten(1),
            self.commands.velocity,
            self.hand_force_b.flatten(1) / 25.0,
            torch.stack((self.payload.sum(-1), self.friction, state.base_pos_w[:, 2]), dim=-1),
        )
        self._seen = torch.cat(parts, dim=-1)

    # -- rewards -----------------------------------------------------------------------------------------------------

    def _foot_errors(self) -> tuple[Tensor, Tensor]:
        """Position (N, 2) m and yaw (N, 2) rad errors of the swing foot, relative to the stance foot, and the stance
        foot itself."""
        state, reference = self.state, self.reference
        rows, side = torch.arange(self.num_agents), self.command.swing.clamp_min(0)
        goal = reference.foot_w
        goal_planar = goal[..., [0, 1, 3]]
        wanted = relative_planar(goal_planar[rows, 1 - side], goal_planar[rows, side])
        rise = goal[rows, side, 2] - goal[rows, 1 - side, 2]
        swing = lower_teacher.swing_in_stance(state, self.command)
        off = torch.stack((swing[:, 0] - wanted[:, 0], swing[:, 1] - wanted[:, 1], swing[:, 2] - rise), dim=-1)
        stance_off = state.foot_pos_w[rows, 1 - side] - goal[rows, 1 - side, :3]
        yaw = wrap_angle(swing[:, 3] - wanted[:, 2])
        stance_yaw = wrap_angle(lower_teacher.stance_planar(state, self.command)[:, 2] - goal[rows, 1 - side, 3])
        return torch.stack((off.norm(dim=-1), stance_off.norm(dim=-1)), -1), torch.stack((yaw, stance_yaw), -1)

    def _reward(self, legs: Tensor, before_vel: Tensor) -> tuple[Tensor, dict[str, Tensor | float], Tensor]:
        r, state, reference, command = lower_rewards, self.state, self.reference, self.command
        q, qd = state.joint_pos[:, LEGS], state.joint_vel[:, LEGS]
        gravity = lower.projected_gravity(state)
        yaw = yaw_of(state.base_quat_w)
        velocity_w = quat_rotate(state.base_quat_w, state.base_lin_vel_b)[:, :2]
        foot, foot_yaw = self._foot_errors()
        base_off = (reference.base_pos_w - state.base_pos_w)[:, :2]
        torque = STIFFNESS.repeat(2) * (legs - q) - self._kd * qd
        loaded = state.foot_force_w[..., 2] > 10.0
        landed = loaded & (self.air_time > 0)
        touch_down = (command.swing != STAND) & (command.countdown_s < 1.5 * CONTROL_PERIOD_S)
        placement = lower_teacher.placement_error(state, command)
        terms = {
            "foot_position": r.kernel(foot.square(), 0.05).sum(-1),
            "foot_position_wide": r.kernel(foot.square(), 0.12).sum(-1),
            "foot_yaw": r.kernel(foot_yaw.square(), 0.1).sum(-1),
            "foot_yaw_wide": r.kernel(foot_yaw.square(), 0.3).sum(-1),
            "base_velocity": r.kernel((velocity_w - reference.base_vel_w).square().sum(-1), 0.25),
            "base_position": r.kernel(base_off.square().sum(-1), 0.08),
            "base_yaw": r.kernel(wrap_angle(yaw - reference.base_yaw).square(), 0.2),
            "joint_position": r.kernel((q - reference.joint_pos).square().sum(-1), 0.3),
            "joint_velocity": r.kernel((qd - reference.joint_vel).square().sum(-1), 1.0),
            "action_smoothness": (lower.ACTION_SCALE * (lower.action_of(legs) - self.last_offset)).square().sum(-1),
            "joint_acceleration": ((qd - before_vel) / CONTROL_PERIOD_S).square().sum(-1),
            "torque_limit": r.excess(torque, EFFORT.repeat(2)),
            "joint_limit": r.outside(q, lower.LEGS_LOWER, lower.LEGS_UPPER),
            "ankle_posture": (q - lower.LEGS_DEFAULT)[:, [4, 5, 10, 11]].square().sum(-1),
            "base_orientation": r.kernel(gravity[:, :2].square().sum(-1), 0.2),
            "air_time": r.landed_air_time(landed, self.air_time),
            "base_height": r.height_outside(state.base_pos_w[:, 2]),
            "contact_phase": self._wrong_contact(loaded),
            "placement": touch_down.float() * r.kernel(placement.square(), 0.02) / CONTROL_PERIOD_S * 0.1,
        }
        self.air_time = torch.where(loaded, 0.0, self.air_time + CONTROL_PERIOD_S)
        ramp = self.ramp
        total = torch.zeros(self.num_agents)
        for name, value in terms.items():
            share = r.RAMPED.get(name, 1.0)
            total += r.WEIGHTS[name] * (share + (1.0 - share) * ramp) * value
        down = fallen(state, MIN_UPRIGHT)
        lost = down | (foot[:, 0] > self.config.lost_foot_m)
        return total * CONTROL_PERIOD_S, self._log(terms, placement, touch_down, down), lost

    def _wrong_contact(self, loaded: Tensor) -> Tensor:
        rows, side = torch.arange(self.num_agents), self.command.swing.clamp_min(0)
        phase = self.reference.swing_phase
        middle = (phase > 0.2) & (phase < 0.85)
        flying = torch.zeros(self.num_agents, 2, dtype=torch.bool)
        standing = flying.clone()
        flying[rows, side] = middle
        standing[rows, 1 - side] = middle
        standing |= (self.command.swing == STAND)[:, None]
        return lower_rewards.wrong_contact(loaded, flying, standing)

    def _log(
        self, terms: dict[str, Tensor], placement: Tensor, touch_down: Tensor, fallen: Tensor
    ) -> dict[str, Tensor | float]:
        log: dict[str, Tensor | float] = {f"reward/{k}": lower_rewards.WEIGHTS[k] * v.mean() for k, v in terms.items()}
        count = float(touch_down.sum())
        if count:
            log["placement_cm"] = 100.0 * placement[touch_down].mean()
        log["falls_per_s"] = fallen.float().mean() / CONTROL_PERIOD_S
        return log

    # -- what happens to the robot -----------------------------------------------------------------------------------

    def _advance(self) -> None:
        """New commands, footsteps and reference for the state just reached."""
        noisy = torch.rand(self.num_agents, 1, generator=self.generator) < 0.5
        offset = noisy * self._noise * (2 * torch.rand(self.num_agents, 3, generator=self.generator) - 1)
        self.command = self.planner.update(self.state, self.commands.update(), offset)
        self.reference = self.gait.update(self.state, self.command)

    def _disturb(self) -> None:
        strength = self.ramp
        if strength == 0.0:
            return
        c, n = self.config, self.num_agents
        changed = (torch.rand(n, generator=self.generator) < CONTROL_PERIOD_S / 2.0).nonzero().squeeze(-1)
        if len(changed):
            self._draw_hand_forces(changed, strength)
        heading = quat_from_yaw(yaw_of(self.state.base_quat_w))
        for side, body in enumerate(("left_hand_link", "right_hand_link")):
            self.backend.apply_wrench(body, quat_rotate(heading, self.hand_force_b[:, side]), torch.zeros(n, 3))
        kicked = torch.rand(n, generator=self.generator) < CONTROL_PERIOD_S / c.kick_interval_s
        kick(self.backend, kicked.nonzero().squeeze(-1), strength * self.kick_m_s, self.generator)

    def _draw_hand_forces(self, worlds: Tensor, strength: float) -> None:
        c, m = self.config, len(worlds)
        squeeze = c.squeeze_n * torch.rand(m, generator=self.generator)
        squeeze *= (torch.rand(m, generator=self.generator) < 0.5).float()
        force = c.hand_force_n * (2 * torch.rand(m, 2, 3, generator=self.generator) - 1)
        force *= (torch.rand(m, 1, 1, generator=self.generator) < 0.5).float()
        force[:, 0, 1] += squeeze
        force[:, 1, 1] -= squeeze
        self.hand_force_b[worlds] = strength * force

    def _reset(self, worlds: Tensor) -> None:
        """New episodes: random moments of reference walks, or the stand."""
        walking = torch.rand(len(worlds), generator=self.generator) < self.config.reference_share
        low = torch.where(walking, 0, self._walks)
        size = torch.where(walking, self._walks, len(self._bank) - self._walks)
        which = low + (size * torch.rand(len(worlds), generator=self.generator)).long()
        initial = self._bank.initial_state(which)
        self.backend.reset(worlds, initial, self._physics(worlds))
        self._bank.restore(worlds, which, self.planner, self.gait, self.commands, self.reference)
        self.arms.place(worlds, initial.joint_pos[:, ARMS])
        self.last_offset[worlds] = lower.action_of(initial.joint_pos[:, LEGS])
        self.last_residual[worlds] = 0.0
        self.steps[worlds] = 0
        self.air_time[worlds] = 0.0
        self.hand_force_b[worlds] = 0.0
        new_step = self.command.new_step.clone()
        new_step[worlds] = False
        self.command = self.planner.command(new_step)
        self.state = self.backend.read_state()

    def _physics(self, worlds: Tensor) -> Physics:
        c, m, strength = self.config, len(worlds), self.ramp
        physics = Physics.nominal(m)
        physics.kp_scale = 1.0 + c.kp_range * self._spread(m, NUM_JOINTS)
        physics.kd_scale = 1.0 + c.kd_range * self._spread(m, NUM_JOINTS)
        physics.trunk_mass_offset_kg = c.trunk_mass_kg * self._spread(m)
        physics.trunk_com_offset_b = strength * c.com_offset_m * self._spread(m, 3)
        low, high = c.friction_range
        physics.floor_friction = low + (high - low) * torch.rand(m, generator=self.generator)
        loaded = (torch.rand(m, 1, generator=self.generator) < 0.7).float()
        physics.payload_kg = strength * c.payload_kg * loaded * torch.rand(m, 2, generator=self.generator)
        self.payload[worlds], self.friction[worlds] = physics.payload_kg, physics.floor_friction
        return physics

    def _spread(self, *shape: int) -> Tensor:
        return 2 * torch.rand(shape, generator=self.generator) - 1

    def _banks(self, poses: Tensor, seed: int) -> tuple[ReferenceBank, ReferenceBank]:
        c = self.config
        generator = torch.Generator().manual_seed(seed + 1)
        walkers, standers = min(c.bank[0], len(poses)), min(2000, len(poses))
        walking = WalkCommands(walkers, c.commands, generator)
        standing = WalkCommands(standers, c.commands, generator)
        return (
            walking_bank(poses[:walkers], walking, c.footsteps, c.gait, self._noise * 0.5, c.bank[1]),
            standing_bank(poses[:standers], standing, c.footsteps, c.gait),
        )

    def close(self) -> None:
        """Release the simulator."""
        self.backend.close()


def fallen(state: WorldState, min_upright: float) -> Bool[Tensor, "N"]:
    """Trunk low, or the cosine of its tilt below `min_upright`."""
    upright = -lower.projected_gravity(state)[:, 2]
    return (state.base_pos_w[:, 2] < MIN_TRUNK_HEIGHT_M) | (upright < min_upright)


def kick(backend: MujocoBackend, worlds: Tensor, speed: float, generator: torch.Generator) -> None:
    """Add a random horizontal velocity (uniform +- speed m/s per world axis) to the trunk of some worlds (M,)."""
    if len(worlds) == 0:
        return
    state = InitialState.from_world_state(backend.read_state().select(worlds))
    push = torch.zeros(len(worlds), 3)
    push[:, :2] = speed * (2 * torch.rand(len(worlds), 2, generator=generator) - 1)
    state.base_lin_vel_b = state.base_lin_vel_b + quat_rotate_inv(state.base_quat_w, push)
    backend.set_state(worlds, state)
