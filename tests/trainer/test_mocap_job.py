"""What `refine-dp mocap` and the options of motion capture say."""

import json
import threading
import time

import numpy as np
import pytest

from core.mocap.emulator import MocapEmulator
from trainer.cli import main
from trainer.jobs.t1_sim import Config, MocapSim
from trainer.typed_json import from_json, to_json

POSES = {"trunk": np.array([0.0, 0.0, 0.65, 1, 0, 0, 0]), "box": np.array([1.4, 0.0, 0.6, 1, 0, 0, 0])}


@pytest.fixture
def emulator():
    emulator, ended = MocapEmulator(tuple(POSES), 0), threading.Event()

    def run() -> None:
        while not ended.wait(0.003):
            emulator.tick(time.monotonic(), lambda: POSES)

    thread = threading.Thread(target=run)
    thread.start()
    yield emulator
    ended.set()
    thread.join()
    emulator.close()


def test_that_bodies_are_shown_with_rate_noise_and_delay(
    emulator: MocapEmulator, capsys: pytest.CaptureFixture
) -> None:
    main(["mocap", f"natnet:127.0.0.1:{emulator.port}", "--seconds", "2", "--json"])
    shown = json.loads(capsys.readouterr().out)

    box = shown["bodies"]["box"]
    assert box["pos_w"] == pytest.approx([1.4, 0.0, 0.6], abs=0.02)
    assert box["noise_mm"] == pytest.approx(1.0, rel=0.5)
    assert box["rate_hz"] > 20
    assert shown["delay_p50_ms"] > 10


def test_that_silence_and_mistakes_say_what_to_do(capsys: pytest.CaptureFixture) -> None:
    assert main(["mocap", "natnet:127.0.0.1:9", "--seconds", "0.2"]) == 1
    assert main(["mocap", "motive", "--seconds", "1"]) == 1
    told = capsys.readouterr()

    assert "no frame from 127.0.0.1" in told.out
    assert "switch streaming on" in told.out
    assert "write natnet:192.168.1.5" in told.err


def test_that_the_simulated_robot_gets_its_options_through_json_and_has_no_presets_of_its_own() -> None:
    from trainer.jobs import sim_to_real, t1_sim

    config = Config(task="box_pickup", mocap=MocapSim(port=0, preset="none"))
    assert from_json(Config, to_json(config)) == config
    assert config.mocap.errors.noise_m == 0.0
    assert not hasattr(t1_sim, "PRESETS")
    assert not hasattr(sim_to_real, "PRESETS")
    with pytest.raises(ValueError, match=r"mocap\.port must be"):
        MocapSim(port=70000)
