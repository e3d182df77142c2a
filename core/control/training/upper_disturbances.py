"""What pi_upper meets in training beside its commands: a base that moves, and forces on the hands."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.control.training.motion_configs import DisturbanceConfig
from core.draws import uniform
from core.rigid import quat_from_rotvec, quat_rotate_inv
from core.types import CONTROL_PERIOD_S

GRAVITY_M_S2 = 9.81


class BaseMotion:
    """Gravity as a fixed base would feel it on a walking robot: tilted, swaying, accelerating."""

    STATE = ("_tilt", "_sway", "_rate", "_phase", "_amplitude", "_time")

    def __init__(self, num_worlds: int, config: DisturbanceConfig, generator: torch.Generator) -> None:
        self._config, self._generator = config, generator
        n = num_worlds
        self._tilt = torch.zeros(n, 3)
        self._sway, self._amplitude = torch.zeros(n, 3), torch.zeros(n, 3)
        self._rate, self._phase = torch.zeros(n, 6), torch.zeros(n, 6)
        self._time = torch.zeros(n)
        self.orientation = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(n, 1)
        "(N, 4) of the base that is imitated, as of the last `advance`"

    def reset(self, worlds: Tensor) -> None:
        """Draw new motions for some worlds (M,)."""
        c, g, m = self._config, self._generator, len(worlds)
        level = torch.tensor([1.0, 1.0, 0.0])
        moving = (torch.rand(m, 1, generator=g) >= c.still_share).float()
        self._tilt[worlds] = c.tilt_std_rad * torch.randn(m, 3, generator=g) * level
        self._sway[worlds] = c.sway_rad * torch.rand(m, 3, generator=g) * level * moving
        self._amplitude[worlds] = c.acceleration_m_s2 * torch.rand(m, 3, generator=g) * moving
        self._rate[worlds] = 2 * torch.pi * uniform(c.sway_hz, 6 * m, g).reshape(m, 6)
        self._phase[worlds] = 2 * torch.pi * torch.rand(m, 6, generator=g)
        self._time[worlds] = 0.0

    def advance(self) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"]]:
        """Unit vector along true gravity (what an IMU shows), and felt gravity in m/s^2; base axes."""
        self._time += CONTROL_PERIOD_S
        wave = torch.sin(self._rate * self._time[:, None] + self._phase)
        self.orientation = quat_from_rotvec(self._tilt + self._sway * wave[:, :3])
        down = quat_rotate_inv(self.orientation, torch.tensor([0.0, 0.0, -1.0]).expand(len(wave), 3))
        return down, GRAVITY_M_S2 * down - self._amplitude * wave[:, 3:]


class HandForces:
    """External forces on both hands, base axes, changing at random times, smooth over a tenth of a second."""

    STATE = ("_goal", "_force", "_left_s")
    SMOOTHING = CONTROL_PERIOD_S / 0.1

    def __init__(self, num_worlds: int, config: DisturbanceConfig, generator: torch.Generator) -> None:
        self._config, self._generator = config, generator
        self._goal = torch.zeros(num_worlds, 2, 3)
        self._force = torch.zeros(num_worlds, 2, 3)
        self._left_s = torch.zeros(num_worlds)

    def reset(self, worlds: Tensor) -> None:
        """No force, and a new one soon, in some worlds."""
        self._goal[worlds] = 0.0
        self._force[worlds] = 0.0
        self._left_s[worlds] = uniform(self._config.wrench_s, len(worlds), self._generator)

    def advance(self, scale: float) -> Float[Tensor, "N 2 3"]:
        """Force on each hand, N; `scale` (0 to 1) is the curriculum's."""
        self._left_s -= CONTROL_PERIOD_S
        over = (self._left_s <= 0).nonzero().squeeze(1)
        if len(over):
            self._goal[over] = self._draw(len(over))
            self._left_s[over] = uniform(self._config.wrench_s, len(over), self._generator)
        self._force += self.SMOOTHING * (self._goal - self._force)
        return scale * self._force

    def _draw(self, m: int) -> Tensor:
        c, g = self._config, self._generator
        kind = torch.rand(m, generator=g)
        squeeze = torch.zeros(m, 2, 3)
        size = c.squeeze_n * (2 * torch.rand(m, generator=g) - 1)
        share = 1.0 + 0.2 * (2 * torch.rand(m, 2, generator=g) - 1)
        squeeze[:, :, 1] = size[:, None] * share * torch.tensor([1.0, -1.0])
        push = c.push_n * (2 * torch.rand(m, 2, 3, generator=g) - 1)
        push[torch.rand(m, 2, generator=g) < 0.3] = 0.0
        none_share, squeeze_share, _ = c.shares
        force = torch.where((kind < none_share + squeeze_share)[:, None, None], squeeze, push)
        return torch.where((kind < none_share)[:, None, None], 0.0, force)
