"""What the loop looks like from outside: one `Telemetry` a control period, from world 0 of a rollout."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from core.clock import Rate
from core.control.footsteps import FootstepCommand
from core.control.safety import KINDS, measured_hold
from core.control.stop import StopLevel
from core.policy.live import LivePlayer
from core.policy.live_config import PlannerStats
from core.rigid import quat_from_yaw, quat_mul, quat_rotate, quat_rotate_inv, rotation_error, yaw_of
from core.robot.status import RobotStatus
from core.rollout import CommandSent, EpisodeEnd, EpisodeStart, Observer, Rollout
from core.tasks.scene import Scene
from core.types import WorldState
from trainer.session.messages import LoopStats, RecordingState, SessionState, StopState, Telemetry, VrView

STOP_STATES: dict[StopLevel, StopState] = {StopLevel.NONE: "none", StopLevel.SOFT: "soft", StopLevel.HARD: "hard"}
WINDOW_TICKS = 50
"""Means are over the last second."""


@dataclass
class SessionView:
    """What telemetry says beside the loop's own state."""

    state: SessionState
    recording: RecordingState
    recorded_samples: int
    recorded_episodes: int


class LoopMeter:
    """Rate and time of each stage over the last second."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends: deque[float] = deque(maxlen=WINDOW_TICKS + 1)
        self._stages: deque[tuple[float, float, float, float]] = deque(maxlen=WINDOW_TICKS)

    def tick(self, rollout: Rollout) -> None:
        """A control period ended."""
        times = rollout.times
        self._ends.append(self._now())
        self._stages.append((times.source_s, times.safety_s, times.controller_s, times.backend_s))

    def restart(self) -> None:
        """The loop was paused: what was measured before says nothing about now."""
        self._ends.clear()
        self._stages.clear()

    def stats(self, rate: Rate) -> LoopStats:
        """What the status bar shows."""
        span = self._ends[-1] - self._ends[0] if len(self._ends) > 1 else 0.0
        means = 1e3 * np.mean(self._stages, axis=0) if self._stages else np.zeros(4)
        return LoopStats(
            rate_hz=(len(self._ends) - 1) / span if span > 0 else 0.0,
            missed_ticks=rate.missed_ticks,
            slack_ms=1e3 * rate.slack_s,
            source_ms=float(means[0]),
            safety_ms=float(means[1]),
            controller_ms=float(means[2]),
            backend_ms=float(means[3]),
        )


class FootMeter:
    """Distance between a sole at touch-down and the footstep that was planned for it (xy, m)."""

    def __init__(self) -> None:
        self.error_m = math.nan
        self._swing = -1
        self._target_xy = np.zeros(2)

    def tick(self, steps: FootstepCommand | None, state: WorldState) -> None:
        """Look at the feet when a step has just ended."""
        if steps is None:
            return
        if self._swing >= 0 and bool(steps.new_step[0]):
            landed = state.foot_pos_w[0, self._swing, :2].numpy()
            self.error_m = float(np.linalg.norm(landed - self._target_xy))
        self._swing = int(steps.swing[0])
        self._target_xy = steps.planned_w[0, 0, :2].numpy().copy()


class Tally(Observer):
    """Counts over the whole session: episodes, successes, interventions."""

    def __init__(self) -> None:
        self.interventions: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.finished = 0
        self.succeeded = 0
        self.start: EpisodeStart | None = None
        self.sent: CommandSent | None = None

    def episode_began(self, start: EpisodeStart) -> None:
        """Remember what was drawn: sizes of objects."""
        self.start = start

    def command_sent(self, record: CommandSent) -> None:
        """Count by kind."""
        self.sent = record
        for kind, where in record.interventions.items():
            self.interventions[kind] += int(where[0])

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Count decided episodes; one that was abandoned is no trial."""
        self.finished += end.reason not in ABANDONED
        self.succeeded += end.success


ABANDONED = ("reset", "reconfigured", "quit")
"""Reasons of episodes that were ended from outside and count as no trial."""


def build_telemetry(
    rollout: Rollout, scene: Scene, tally: Tally, foot: FootMeter, steps: FootstepCommand | None, loop: LoopStats,
    view: SessionView, vr: VrView | None = None, robot: RobotStatus | None = None,
) -> Telemetry:  # fmt: skip
    """World 0 now."""
    state, sent = rollout.state, rollout.safety.sent
    heading = quat_from_yaw(yaw_of(state.base_quat_w))
    measured = measured_hold(state)
    command_pos_w = state.base_pos_w[:, None] + quat_rotate(state.base_quat_w[:, None], sent.hand_pos_b)
    command_quat_w = quat_mul(state.base_quat_w[:, None].expand(-1, 2, -1), sent.hand_quat_b)
    velocity = quat_rotate_inv(heading, quat_rotate(state.base_quat_w, state.base_lin_vel_b))
    turn = quat_rotate(state.base_quat_w, state.base_ang_vel_b)[:, 2:]
    poses, sizes = object_poses(scene, state, tally.start)
    return Telemetry(
        tick=rollout.ticks,
        time_s=float(state.time_s[0]),
        state=view.state,
        stop=STOP_STATES[rollout.stop_obeyed],
        holding=bool(rollout.holding),
        hold_reason=rollout.holding,
        source=rollout.source.name,
        stage=stage_name(rollout.source),
        episode=max(rollout.episode_index[0], 0),
        episodes_finished=tally.finished,
        episodes_succeeded=tally.succeeded,
        success=bool(rollout.success[0]),
        recording=view.recording,
        recorded_samples=view.recorded_samples,
        recorded_episodes=view.recorded_episodes,
        base_pose_w=_row(torch.cat((state.base_pos_w, state.base_quat_w), dim=-1)),
        joint_pos=_row(state.joint_pos),
        gripper_opening=_row(state.gripper_opening),
        object_poses_w=poses,
        object_sizes=sizes,
        command_hand_poses_w=_row(torch.cat((command_pos_w, command_quat_w), dim=-1)),
        hand_poses_w=_row(torch.cat((state.hand_pos_w, state.hand_quat_w), dim=-1)),
        planned_steps_w=_row(steps.planned_w) if steps is not None else np.zeros((0, 4), np.float32),
        planned_sides=steps.planned_side[0].numpy().copy() if steps is not None else np.zeros(0, np.int64),
        velocity_command=_row(sent.base_velocity),
        velocity_actual=_row(torch.cat((velocity[:, :2], turn), dim=-1)),
        gripper_command=_row(sent.gripper_opening),
        hand_pos_error_m=_row((sent.hand_pos_b - measured.hand_pos_b).norm(dim=-1)),
        hand_rot_error_rad=_row(rotation_error(measured.hand_quat_b, sent.hand_quat_b).norm(dim=-1)),
        foot_error_m=foot.error_m,
        interventions=dict(tally.interventions),
        loop=loop,
        vr=vr,
        planner=rollout.source.stats() if isinstance(rollout.source, LivePlayer) else PlannerStats(),
        robot=robot,
    )


def _row(tensor: torch.Tensor) -> np.ndarray:
    return tensor[0].numpy().astype(np.float32)  # a copy: the backend reuses its tensors


def stage_name(source: object) -> str:
    """The stage that a source shows for world 0, '' for sources without stages."""
    names, stage = getattr(source, "stage_names", None), getattr(source, "stage", None)
    return names[int(stage[0])] if names is not None and stage is not None else ""


def object_poses(
    scene: Scene, state: WorldState, start: EpisodeStart | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Poses (7,) and full edge lengths (3,) of every object of the scene, as drawn for this episode."""
    poses, sizes = {}, {}
    for item in scene.objects:
        size = np.array(item.size, np.float32)
        pose = np.array((*item.pos, 1.0, 0.0, 0.0, 0.0), np.float32)
        if start is not None and item.name in start.physics.fixed_object_pos:
            pose[:3] = start.physics.fixed_object_pos[item.name][0].numpy()
        if start is not None and item.name in start.physics.object_size:
            size = start.physics.object_size[item.name][0].numpy().astype(np.float32)
        if item.name in state.objects:
            body = state.objects[item.name]
            pose = np.concatenate((body.pos_w[0].numpy(), body.quat_w[0].numpy())).astype(np.float32)
        poses[item.name], sizes[item.name] = pose, size
    return poses, sizes
