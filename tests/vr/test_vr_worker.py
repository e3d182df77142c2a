"""Every process at once: client, session worker, input process, Monado's service; and who outlives whom."""

import os
import signal
import time
from dataclasses import replace

import psutil
import pytest
from input_probe import wait_until
from monado import Monado, RemoteOperator

from core.teleop.poses import Pose
from core.teleop.xr_sample import NO_BUTTON, Button
from trainer.session.client import SessionClient
from trainer.session.messages import Configure, Control, StopChanged, VrView


def vr_of(client: SessionClient) -> VrView | None:
    told = client.latest()
    return told.vr if told is not None else None


def move(operator: RemoteOperator) -> None:
    """A person never holds still to the last bit."""
    x, y, z = operator.left.pose.pos
    shaken = 0.3 + (1e-5 if x == 0.3 else 0.0)
    operator.left = replace(operator.left, pose=Pose((shaken, y, z)))
    operator.right = replace(operator.right, pose=Pose((shaken, -y, z)))
    operator.send()


@pytest.fixture
def client(monado: Monado, monkeypatch: pytest.MonkeyPatch):
    for name, value in monado.environment().items():
        monkeypatch.setenv(name, value)
    made = SessionClient()
    made.start()
    yield made
    made.close()


def input_processes(client: SessionClient) -> list[psutil.Process]:
    assert client._process is not None
    return [p for p in psutil.Process(client._process.pid).children() if "core.teleop.openxr_process" in p.cmdline()]


def test_that_hands_engage_and_sticks_stop_through_every_process(client: SessionClient, operator: RemoteOperator):
    client.send(Configure(source="vr", backend="fake"))
    wait_until(lambda: (vr := vr_of(client)) is not None and vr.state == "running", lambda: str(client.events()))
    client.send(Control("start"))

    def take_over() -> bool:
        """Squeeze; let go first where a clutch wants to see that (a busy computer delivers no samples for a while)."""
        vr = vr_of(client)
        assert vr is not None
        squeeze = 0.0 if "release" in vr.hands else 1.0
        operator.left, operator.right = (replace(c, squeeze=squeeze) for c in (operator.left, operator.right))
        move(operator)
        return vr.hands == ("engaged", "engaged")

    wait_until(take_over, lambda: f"engaged: {vr_of(client)}")
    client.events()
    operator.both(buttons=Button.STICK)
    stops: list[StopChanged] = []
    wait_until(lambda: stops.extend(e for e in client.events() if isinstance(e, StopChanged)) or stops, "the stop")
    operator.both(buttons=NO_BUTTON)
    assert stops[0].state == "soft"
    wait_until(lambda: (told := client.latest()) is not None and told.stop != "none", "telemetry of the stop")
    wait_until(lambda: "engaged" not in vr_of(client).hands, "dropped by the stop")  # type: ignore[union-attr]


def test_that_a_killed_worker_takes_the_input_process_with_it(client: SessionClient, operator: RemoteOperator):
    client.send(Configure(source="vr", backend="fake"))
    wait_until(lambda: (vr := vr_of(client)) is not None and vr.state == "running", lambda: str(client.events()))
    (child,) = input_processes(client)
    assert client._process is not None
    killed_s = time.monotonic()
    os.kill(client._process.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs([child], timeout=30.0)
    print(f"the input process ended {1e3 * (time.monotonic() - killed_s):.0f} ms after the worker")
    assert not alive
    assert gone


def test_that_leaving_vr_ends_the_input_process(client: SessionClient, operator: RemoteOperator):
    client.send(Configure(source="vr", backend="fake"))
    wait_until(lambda: (vr := vr_of(client)) is not None and vr.state == "running", lambda: str(client.events()))
    children = input_processes(client)
    client.send(Configure(source="heuristic", backend="fake"))
    wait_until(lambda: client.latest() is not None and vr_of(client) is None, "the other source")
    _, alive = psutil.wait_procs(children, timeout=30.0)
    assert children
    assert not alive
