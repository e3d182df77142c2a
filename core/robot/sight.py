"""What motion capture tells of a robot's world: the trunk, fused with leg odometry and IMU, and the objects."""

import time
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from core.mocap.check import Check, check_mocap, quality_words
from core.mocap.receiver import MocapReceiver, Verdict
from core.mocap.settings import TRUNK
from core.mocap.turns import as_vector
from core.rigid import quat_from_yaw, quat_mul, quat_rotate, quat_rotate_inv, yaw_of
from core.robot.base_fusion import BaseFusion
from core.robot.leg_odometry import BaseEstimate
from core.types import BodyState

REFIND_S, LOOK_S = 0.6, 0.12
"""How long a body may take to be seen again once people said that things were moved, and how long one look takes."""


class Sight:
    """One robot. Poses are those of the motion capture system: z = 0 is to be the floor."""

    def __init__(
        self,
        receiver: MocapReceiver,
        objects: Sequence[str],
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.receiver = receiver
        self.objects = tuple(objects)
        self._now, self._sleep = now, sleep
        self._fusion = BaseFusion()
        self._last: dict[str, BodyState] = {}
        self._words, self._worded_s = "", float("-inf")
        self._looked_s = float("-inf")

    @property
    def needed(self) -> tuple[str, ...]:
        """Bodies without which the robot must not move."""
        return (TRUNK, *self.objects)

    def judge(self) -> Verdict:
        """Whether the bodies may be trusted now."""
        return self.receiver.judge(self.needed)

    def check(self) -> Check:
        """Whether they are good enough to begin."""
        return check_mocap(self.receiver, self.needed)

    def words(self) -> str:
        """How it is, in one line; figures are those of the last second."""
        verdict, now_s = self.judge(), self._now()
        if verdict.level != "ok":
            return verdict.reason
        if now_s - self._worded_s > 1.0:
            self._worded_s, self._words = now_s, quality_words(self.receiver, self.needed)
        return self._words

    def look_anew(self) -> None:
        """People moved things: every body is believed wherever it is seen next."""
        self.receiver.forget()
        self._fusion.reset()

    def rest(self) -> None:
        """Nothing is driven: people may carry robot and objects about, so whatever jumped is soon believed again."""
        now_s = self._now()
        if now_s - self._looked_s >= REFIND_S and self.judge().level != "ok":
            self._looked_s = now_s
            self.look_anew()

    def refind(self) -> str:
        """Look anew until all is well, for a little while: why the bodies cannot be trusted, '' when they can.

        Anew each time: the first frames may be from before people had put things down.
        """
        verdict = self.judge()
        for _ in range(round(REFIND_S / LOOK_S)):
            self.look_anew()
            self._sleep(LOOK_S)
            verdict = self.judge()
            if verdict.level == "ok":
                return ""
        return verdict.reason

    def begin(self, imu_quat: Float[Tensor, "1 4"]) -> None:
        """Place and heading begin anew with what is seen now."""
        self._fusion.reset()
        found = self.receiver.estimate(TRUNK, self._now())
        if found is not None:
            seen = yaw_of(torch.tensor([found.quat_w]))
            self._fusion.pos_w = found.pos_w
            self._fusion.yaw_offset = float(seen - yaw_of(imu_quat))

    def base(self, time_s: float, legs: BaseEstimate, imu_quat: Float[Tensor, "1 4"]) -> BaseEstimate:
        """The base after another control period; legs: what leg odometry says, its position is not used."""
        quat = self.upright(imu_quat)
        velocity_w = quat_rotate(quat, legs.lin_vel_b)
        self._fusion.predict(time_s, as_vector(velocity_w[0].numpy()), float(yaw_of(imu_quat)))
        for sample in self.receiver.take_samples(TRUNK):
            self._fusion.correct(sample)
        velocity_w = velocity_w + torch.tensor([self._fusion.velocity_error_w])
        return BaseEstimate(torch.tensor([self._fusion.pos_w]), quat_rotate_inv(quat, velocity_w), legs.stance)

    def upright(self, imu_quat: Float[Tensor, "1 4"]) -> Float[Tensor, "1 4"]:
        """Roll and pitch of the IMU, heading of motion capture."""
        return quat_mul(quat_from_yaw(torch.tensor([self._fusion.yaw_offset])), imu_quat)

    def bodies(self, time_s: float) -> dict[str, BodyState]:
        """Objects that were seen, at a time; the last known pose of one that is looked for anew."""
        for name in self.objects:
            found = self.receiver.estimate(name, time_s)
            if found is not None:
                rows = (found.pos_w, found.quat_w, found.lin_vel_w, found.ang_vel_w)
                self._last[name] = BodyState(*(torch.tensor([row], dtype=torch.float32) for row in rows))
        return {name: body.clone() for name, body in self._last.items()}

    def close(self) -> None:
        """Leave the network."""
        self.receiver.close()
