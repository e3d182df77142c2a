"""An operator made of numbers: builds raw samples one after the other and feeds them, with a clock of its own."""

from dataclasses import dataclass, field, replace

from core.teleop.poses import Pose, about_z, mul, rotate
from core.teleop.samples import OperatorSample, Quaternion, Vector3
from core.teleop.xr_operator import Happened, XrOperator
from core.teleop.xr_sample import NO_BUTTON, TRACKED, Button, XrHand, XrSample

PERIOD_S = 0.01
WIGGLE_M = 1e-5
"""A person never holds still to the last bit."""


@dataclass
class Rehearsal:
    """What the operator does now; `step` turns it into samples."""

    operator: XrOperator
    time_s: float
    sequence: int = 0
    focused: bool = True
    recentres: int = 0
    head: Pose = field(default_factory=lambda: Pose((0.0, 0.0, 1.6)))
    left: XrHand = field(default_factory=lambda: hand((0.3, 0.2, 1.2)))
    right: XrHand = field(default_factory=lambda: hand((0.3, -0.2, 1.2)))
    wiggle: bool = True
    stops: list[str] = field(default_factory=list)

    def step(self, count: int = 1) -> list[Happened]:
        """Feed so many samples; what happened."""
        for _ in range(count):
            self.time_s += PERIOD_S
            self.sequence += 1
            shake = WIGGLE_M * (self.sequence % 2) if self.wiggle else 0.0
            self.operator.feed(
                XrSample(
                    self.sequence, self.time_s, self.focused, self.recentres, TRACKED, self.head,
                    shaken(self.left, shake), shaken(self.right, shake),
                )
            )  # fmt: skip
        return self.operator.take()

    def both(self, **changes: object) -> None:
        """Change fields of both controllers."""
        self.left, self.right = replace(self.left, **changes), replace(self.right, **changes)

    def squeeze(self, value: float) -> list[Happened]:
        """Squeeze both grips, or let go of them."""
        self.both(squeeze=value)
        return self.step()

    def engage(self) -> None:
        """Let go, then squeeze."""
        self.squeeze(0.0)
        self.squeeze(1.0)
        assert all(self.follows), self.operator.view()

    @property
    def follows(self) -> tuple[bool, bool]:
        sample = self.operator.sample()
        return sample.left.follow is not None, sample.right.follow is not None

    def asked(self) -> OperatorSample:
        return self.operator.sample()


def shaken(one: XrHand, by: float) -> XrHand:
    x, y, z = one.grip.pos
    return replace(one, grip=Pose((x + by, y, z), one.grip.quat))


def hand(pos: Vector3, quat: Quaternion = (1.0, 0.0, 0.0, 0.0), buttons: Button = NO_BUTTON) -> XrHand:
    return XrHand(flags=TRACKED, buttons=buttons, grip=Pose(pos, quat), aim=Pose(pos, quat))


def moved(one: XrHand, by: Vector3) -> XrHand:
    x, y, z = one.grip.pos
    return replace(one, grip=Pose((x + by[0], y + by[1], z + by[2]), one.grip.quat))


def turned_about_origin(pose: Pose, yaw: float) -> Pose:
    turn = about_z(yaw)
    return Pose(rotate(turn, pose.pos), mul(turn, pose.quat))


def rehearsal() -> Rehearsal:
    clock = [100.0]
    stops: list[str] = []
    operator = XrOperator(now=lambda: clock[0], on_stop=stops.append)
    made = _Clocked(operator, 100.0, stops=stops)
    made.clock = clock
    made.step(3)
    return made


class _Clocked(Rehearsal):
    """The operator's clock is that of the samples."""

    clock: list[float]

    def step(self, count: int = 1) -> list[Happened]:
        happened = []
        for _ in range(count):
            self.clock[0] = self.time_s + PERIOD_S
            happened += super().step()
        return happened

    def wait(self, seconds: float) -> None:
        """Time passes without a sample."""
        self.time_s += seconds
        self.clock[0] = self.time_s
