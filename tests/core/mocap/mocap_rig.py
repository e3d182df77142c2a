"""An emulator and a client on loopback, stepped by hand: real packets, an invented clock."""

import math

import numpy as np

from core.mocap.emulated_errors import MocapErrors
from core.mocap.emulator import MocapEmulator
from core.mocap.natnet.client import NatNetClient
from core.mocap.receiver import MocapReceiver
from core.mocap.settings import MocapSettings

STEP_S = 0.005
NAMES = ("trunk", "box")


class Rig:
    """Both ends, 5 ms a step."""

    def __init__(self, errors: MocapErrors, version: str = "4.1", multicast: bool = False, **settings) -> None:
        self.time_s = 1000.0
        self.emulator = MocapEmulator(NAMES, 0, errors, version=version, multicast=multicast)
        settings = {"names": {}, "up": "z"} | settings
        chosen = MocapSettings("natnet", "127.0.0.1", self.emulator.port, **settings)
        self.receiver = MocapReceiver(chosen, self._open, now=lambda: self.time_s)
        self.client: NatNetClient

    def _open(self, settings, hear) -> NatNetClient:
        self.client = NatNetClient(settings.host, settings.port, hear, now=lambda: self.time_s, start=False)
        # arrivals are stamped by the kernel in real time, which runs at another pace than this clock
        self.client._arrival_s = lambda control: self.time_s
        return self.client

    def poses(self) -> dict[str, np.ndarray]:
        """The trunk walks at 0.2 m/s and sways; the box stands."""
        t = self.time_s - 1000.0
        trunk = [0.2 * t, 0.02 * math.sin(6 * t), 0.65, math.cos(0.05 * t), 0.0, 0.0, math.sin(0.05 * t)]
        return {"trunk": np.array(trunk), "box": np.array([1.4, 0.1, 0.6, 0.96, 0.0, 0.0, 0.28])}

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.time_s += STEP_S
            self.emulator.tick(self.time_s, self.poses)
            self.client.turn(0.0)

    def close(self) -> None:
        self.receiver.close()
        self.emulator.close()
