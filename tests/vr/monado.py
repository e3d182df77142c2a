"""Monado, a real OpenXR runtime, and an operator made of packets who moves head and hands over TCP."""

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.teleop.poses import Pose, to_openxr
from core.teleop.samples import ZERO, Vector3
from core.teleop.xr_sample import Button

REPOSITORY = Path(__file__).resolve().parents[2]
HEAD_HEIGHT_M = 1.6


def provided(build: bool = False) -> dict[str, str] | None:
    """The environment file of scripts/monado.sh; None where Monado is not there (and was not to be built)."""
    script = [str(REPOSITORY / "scripts/monado.sh"), *([] if build else ["--check"])]
    done = subprocess.run(["bash", *script], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    lines = (Path(done.stdout.strip()) / "env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


@dataclass(frozen=True)
class Controller:
    """One controller as the remote driver of Monado takes it."""

    pose: Pose = field(default_factory=Pose)
    active: bool = True
    trigger: float = 0.0
    squeeze: float = 0.0
    stick: tuple[float, float] = (0.0, 0.0)
    buttons: Button = Button(0)  # noqa: RUF009  # an IntFlag is immutable
    curl: float = 0.0
    "every finger, 0 straight to 1 closed; the fingers are seen where it is not 0"
    mark: float = 0.0
    "carried as the linear velocity in OpenXR's z, so that a sample can tell which packet it is"


_HAND = struct.Struct("<7f3f3f5f3f2f1f2f13?3x")
_VIEWS = b"\0" * 96


def packet(head: Pose, left: Controller, right: Controller) -> bytes:
    """One packet of the remote driver of Monado 25.0.0 (drivers/remote/r_interface.h, 'mndrmt3'), 376 bytes."""
    centre = struct.pack("<7f?3x", *_flat(head), False)
    data = b"mndrmt3\0" + _VIEWS + centre + _pack(left) + _pack(right)
    assert len(data) == 376
    return data


def _flat(pose: Pose) -> tuple[float, ...]:
    pos, quat_xyzw = to_openxr(pose)
    return (*quat_xyzw, *pos)


def _pack(one: Controller) -> bytes:
    b = one.buttons
    velocity: Vector3 = (0.0, 0.0, one.mark)
    # hand tracking, active, system click and touch, a, b click and touch, trigger, stick click and touch, pad touch
    flags = (
        one.curl != 0.0, one.active, Button.MENU in b, False, Button.PRIMARY in b, False, Button.SECONDARY in b, False,
        Button.TRIGGER in b, False, Button.STICK in b, False, False,
    )  # fmt: skip
    return _HAND.pack(
        *_flat(one.pose),
        *velocity,
        *ZERO,
        *([one.curl] * 5),
        one.trigger,
        one.squeeze,
        0.0,
        *one.stick,
        float(Button.MENU in b),
        0.0,
        0.0,
        *flags,
    )


class RemoteOperator:
    """The TCP connection to the driver: what it sends last is what the headset and controllers are."""

    def __init__(self, port: int) -> None:
        self.head = Pose((0.0, 0.0, HEAD_HEIGHT_M))
        self.left = Controller(Pose((0.3, 0.2, 1.2)))
        self.right = Controller(Pose((0.3, -0.2, 1.2)))
        self._socket = _connect(port)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send()

    def send(self) -> None:
        """Tell the driver. It answers nothing; what it sent on connecting is never read."""
        self._socket.sendall(packet(self.head, self.left, self.right))

    def both(self, **changes: object) -> None:
        """Change fields of both controllers and tell the driver."""
        self.left, self.right = replace(self.left, **changes), replace(self.right, **changes)
        self.send()

    def close(self) -> None:
        self._socket.close()


def _connect(port: int) -> socket.socket:
    until = time.monotonic() + 20.0
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5.0)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


class Monado:
    """The service, in folders of its own."""

    def __init__(self, provided_by: dict[str, str]) -> None:
        self._provided = provided_by
        self._folder = Path(tempfile.mkdtemp(prefix="refine-dp-monado-"))
        self.port = _free_port()
        config = self._folder / "config/monado"
        config.mkdir(parents=True)
        (self._folder / "run").mkdir(mode=0o700)
        remote = {"version": 0, "port": self.port, "view_count": 2}
        (config / "config_v0.json").write_text(json.dumps({"active": "remote", "remote": remote}), encoding="utf-8")
        self.log = self._folder / "service.log"
        self.validation = self._folder / "validation.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def environment(self, validate: bool = True) -> dict[str, str]:
        """Of a client."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("XR_", "XRT_"))}
        env["XDG_RUNTIME_DIR"] = str(self._folder / "run")
        env["XDG_CONFIG_HOME"] = str(self._folder / "config")
        env["XR_RUNTIME_JSON"] = self._provided["XR_RUNTIME_JSON"]
        if self._provided["MONADO_LIBRARY_PATH"]:
            env["LD_LIBRARY_PATH"] = self._provided["MONADO_LIBRARY_PATH"]
            env["VK_ICD_FILENAMES"] = self._provided["MONADO_VULKAN_DRIVER"]
        if validate:  # Khronos' own checks of how the interface is used; pyopenxr brings them
            env["XR_ENABLE_API_LAYERS"] = "XR_APILAYER_LUNARG_core_validation"
            env["XR_CORE_VALIDATION_EXPORT_TYPE"] = "text"
            env["XR_CORE_VALIDATION_FILE_NAME"] = str(self.validation)
        return env

    def start(self) -> None:
        """Start the service and wait until it takes clients."""
        env = self.environment(validate=False)
        env |= {"XRT_COMPOSITOR_NULL": "1", "XRT_NO_STDIN": "1", "IPC_LOG": "trace"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._provided["MONADO_SERVICE"]], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )
        until = time.monotonic() + 30.0
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"monado-service does not come up:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)

    def _accepts(self) -> bool:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as client:
            try:
                client.connect(str(self._folder / "run/monado_comp_ipc"))
            except OSError:
                return False
            return True

    def kill(self) -> None:
        """As a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for name in ("monado_comp_ipc", "monado.pid"):
            (self._folder / "run" / name).unlink(missing_ok=True)

    def hang(self) -> None:
        """As a deadlock would: alive, answering nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """The deadlock is over."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def control(self, *arguments: str) -> str:
        """monado-ctl."""
        tool = Path(self._provided["MONADO_SERVICE"]).with_name("monado-ctl")
        return subprocess.run(
            [str(tool), *arguments], env=self.environment(validate=False), capture_output=True, text=True, check=False
        ).stdout

    def pulses(self) -> int:
        """How many vibrations reached the driver so far."""
        return self.log.read_text(errors="replace").count("Dispatching device_set_output")

    def violations(self) -> list[str]:
        """What the validation layer objected to."""
        if not self.validation.exists():
            return []
        lines = self.validation.read_text(errors="replace").splitlines()
        return [line for line in lines if "VALID_ERROR" in line or "VALID_WARNING" in line]

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
