"""Latency from a moving hand to the robot's joint targets, by stage: Monado, the input process, a session on MuJoCo.

Everything is real but the headset: a process of its own moves the left controller and notes when it sent each packet.
"""

import multiprocessing
import os
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from core.rollout import CommandSent, Observer
from core.teleop.poses import Pose
from core.teleop.xr_input import XrInput
from core.teleop.xr_joints import XrJoints
from core.teleop.xr_sample import XrSample
from tests.vr.monado import Monado, RemoteOperator, provided
from trainer.session.live import LiveSession
from trainer.session.messages import Configure, Control

PATIENCE_S = 120.0
CIRCLE_M = 0.05


@dataclass(frozen=True)
class VrConfig:
    """What is measured."""

    seconds: float = 30.0
    "of a session in real time"
    packet_hz: float = 500.0
    "how often the hand moves"


def move(port: int, packet_hz: float, ending: Connection) -> None:
    """The operator's process: a squeezed grip that moves on a circle until told to end; sends back when it sent what.

    A packet carries its number where the runtime expects a velocity.
    """
    operator = RemoteOperator(port)
    sent_s: list[float] = []
    next_s = time.monotonic()
    while not ending.poll(max(0.0, next_s - time.monotonic())):
        next_s += 1.0 / packet_hz
        angle = len(sent_s) / packet_hz
        pose = Pose((0.3 + CIRCLE_M * np.sin(angle), 0.2, 1.2 + CIRCLE_M * np.cos(angle)))
        squeeze = 0.0 if angle % 4.0 < 0.2 else 1.0  # a clutch that was dropped must see a release
        operator.left = replace(operator.left, pose=pose, squeeze=squeeze, mark=float(len(sent_s) + 1))
        sent_s.append(time.monotonic())
        operator.send()
    ending.recv()
    ending.send(sent_s)
    operator.close()


class Listener:
    """Between the input process and the session: when which packet arrived."""

    def __init__(self) -> None:
        self.arrived: list[tuple[int, float]] = []
        self.ages_s: list[float] = []

    def taps(self, take):
        """The same, and it is noted."""

        def note(heard: XrSample | XrJoints) -> None:
            now_s = time.monotonic()
            if isinstance(heard, XrSample) and heard.left.tracked:
                self.arrived.append((round(-heard.left.linear_m_s[0]), now_s))
                self.ages_s.append(now_s - heard.time_s)
            take(heard)

        return note


class Stages(Observer):
    """What each command cost; after the session's own meter, which knows the age of the sample."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self.commands: list[tuple[float, float, float]] = []
        "sent (monotonic), the packet that it was made of, pose to command s"
        self.mapper_s: list[float] = []
        self.safety_s: list[float] = []

    def command_sent(self, record: CommandSent) -> None:
        """A command was handed to the controller."""
        world, vr = self._session.world, self._session.vr
        if world is None or world.rollout.holding:
            return
        packet = -vr.operator.newest.left.linear_m_s[0]
        self.commands.append((record.sent_time_s, packet, vr.latency.last_s))
        self.mapper_s.append(world.rollout.times.source_s)
        self.safety_s.append(world.rollout.times.safety_s)


def row(name: str, values_s: list[float] | np.ndarray) -> str:
    """One line of the table."""
    p50, p99 = 1e3 * np.percentile(values_s, (50, 99))
    return f"{name:58s} {p50:8.1f} {p99:8.1f} {len(values_s):7d}"


def main(config: VrConfig) -> int:
    """Print the table. 1 where Monado is missing."""
    files = provided()
    if files is None:
        print("Monado is not here: run scripts/monado.sh once")
        return 1
    torch.set_num_threads(1)
    monado = Monado(files)
    monado.start()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    operator = multiprocessing.get_context("spawn").Process(target=move, args=(monado.port, config.packet_hz, theirs))
    operator.start()
    listener = Listener()
    session = LiveSession(
        lambda _: None,
        make_input=lambda take, _: XrInput(listener.taps(take), environment=monado.environment(validate=False)),
    )
    try:
        measure(session, listener, config, ours)
    finally:
        session.close()
        operator.kill()
        operator.join()
        monado.close()
    return 0


def measure(session: LiveSession, listener: Listener, config: VrConfig, operator: Connection) -> None:
    """Run the session in real time and print."""
    session.receive(Configure(source="vr", auto_record=False))
    patient_until_s = time.monotonic() + PATIENCE_S
    while session.world is None or not listener.arrived:
        session.tick()
        if time.monotonic() > patient_until_s:
            raise RuntimeError(f"no controller within {PATIENCE_S:.0f} s: {session.vr.status()}")
    stages = Stages(session)
    session.world.rollout.observers.append(stages)
    session.receive(Control("start"))
    session.tick()
    controller_s, ticks = [], round(50 * config.seconds)
    began_s = time.monotonic()
    for _ in range(ticks):
        session.tick()
        controller_s.append(session.world.rollout.times.controller_s)
    took_s = time.monotonic() - began_s
    operator.send("end")
    print_table(stages, listener, controller_s, operator.recv())
    load = os.getloadavg()[0]
    print(f"{ticks / took_s:.1f} ticks a second, {session.rate.missed_ticks} missed; input at "
          f"{session.vr.status().rate_hz:.0f} Hz; load {load:.1f} on {os.cpu_count()} cores")  # fmt: skip
    real_time = os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO)
    print(f"{CPU}, {'real-time priority' if real_time else f'nice {os.nice(0)}'}")


def print_table(stages: Stages, listener: Listener, controller_s: list[float], sent_s: list[float]) -> None:
    """Percentiles of every stage."""
    packets = [(k, at) for k, at in listener.arrived if 1 <= k <= len(sent_s)]
    fresh = {k: at for k, at in reversed(packets)}  # the first sample that has it
    transport = [at - sent_s[k - 1] for k, at in fresh.items()]
    at_command = [(sent, round(k), late) for sent, k, late in stages.commands if 1 <= round(k) <= len(sent_s)]
    motion = [
        sent - sent_s[k - 1]
        for (_, older, _), (sent, number, _) in pairwise(at_command)
        for k in range(older + 1, number + 1)
    ]
    ages = [late for _, _, late in at_command]
    targets = [late + float(np.median(controller_s)) for late in ages]
    print(f"{'':58s} {'p50 ms':>8s} {'p99 ms':>8s} {'n':>7s}")
    print(row("packet of the driver to the sample in the session", transport))
    print(row("age of a sample when it arrives in the session", listener.ages_s))
    print(row("mapper", stages.mapper_s))
    print(row("safety filter", stages.safety_s))
    print(row("controllers (footsteps, legs, arms)", controller_s))
    print(row("pose to command sent", ages))
    print(row("pose to joint targets (with the median controllers)", targets))
    print(row("motion of the hand to the first command that has it (10 Hz)", motion))


CPU = next(
    (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
    "unknown processor",
)
