"""Curves of many long runs: time until all are drawn, and the longest turn of the window's thread while they load.

A turn that is too long is a window that freezes. Turns are measured in processor time, so other work does not count.
"""

import json
import math
import os
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TAGS = (
    "success_rate",
    "success_low",
    "success_high",
    "hand_position_error_m",
    "hand_orientation_error_rad",
    "decisions",
)
LEARN = ("kl", "clip_fraction", "value_loss")
TIMES = ("simulation_s", "sampling_s", "log_prob_s", "update_s")


@dataclass(frozen=True)
class CurvesConfig:
    """What is drawn."""

    runs: int = 10
    "runs that are overlaid"
    points: int = 10_000
    "iterations of each"
    live_s: float = 5.0
    "seconds in which one run goes on"


def write_run(folder: Path, points: int, seed: int, first: int = 0) -> None:
    """Scalars of a fine-tuning, as it writes them."""
    draw = random.Random(seed)
    with (folder / "events.jsonl").open("a") as file:
        for step in range(first, first + points):
            rate = 0.5 + 0.4 * (1 - math.exp(-step / 2000)) + 0.05 * draw.random()
            values = {f"explore/{name}": 0.01 * draw.random() for name in TAGS}
            values |= {
                "explore/success_rate": rate,
                "explore/success_low": rate - 0.1,
                "explore/success_high": rate + 0.05,
            }
            values |= {f"learn/{name}": draw.random() for name in LEARN}
            values |= {f"time/{name}": 1 + draw.random() for name in TIMES}
            event = {"time_s": 10.0 * step, "kind": "scalars", "step": step, "values": values}
            file.write(json.dumps(event) + "\n")


def main(config: CurvesConfig) -> int:
    """Measure and print."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / f"run{i}" for i in range(config.runs)]
        for seed, folder in enumerate(folders):
            folder.mkdir()
            write_run(folder, config.points, seed)
        measure(config, folders)
    return 0


def measure(config: CurvesConfig, folders: list[Path]) -> tuple[float, float]:
    """Load, then let one run grow. Prints and returns the longest turn of the window's thread in each, s."""
    from PyQt6.QtCore import QCoreApplication, QEvent, QEventLoop
    from PyQt6.QtWidgets import QApplication

    from app.state import AppState
    from app.theme import DARK, apply_theme
    from app.training.plot_panel import PlotPanel
    from trainer.run_rows import RunRow

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, DARK)
    state = AppState(lambda: None)  # type: ignore[arg-type,return-value]
    panel = PlotPanel(state)
    panel.resize(1100, 700)
    panel.show()
    rows = [RunRow(None, folder, "finetune", "running", 0.0) for folder in folders]
    started_s, started_cpu_s, longest_s = time.monotonic(), time.process_time(), 0.0

    def turn() -> None:
        nonlocal longest_s
        before_s = time.thread_time()
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 1)
        longest_s = max(longest_s, time.thread_time() - before_s)
        time.sleep(0.001)

    def drawn(last: int) -> bool:
        lines = panel.cards["kl"].lines if "kl" in panel.cards else ()
        return len(lines) == len(folders) and all(line.x[-1] >= last for line in lines[:1])

    panel.show_runs(rows)
    while not (drawn(config.points - 1) and all(line.x[-1] == config.points - 1 for line in panel.cards["kl"].lines)):
        turn()
    load_s, load_turn_s, longest_s = time.monotonic() - started_s, longest_s, 0.0
    load_cpu_s = time.process_time() - started_cpu_s
    live_until_s, step = time.monotonic() + config.live_s, config.points
    while time.monotonic() < live_until_s:
        write_run(folders[0], 1, step, step)
        step += 1
        for _ in range(50):
            turn()
    print(f"{config.runs} runs of {config.points} iterations, {len(panel.cards)} plots")
    print(f"all drawn after {load_s:.1f} s, {load_cpu_s:.1f} s of processor time")
    print(f"while they load: longest turn of the window's thread {1e3 * load_turn_s:.0f} ms")
    print(f"one run goes on: longest turn {1e3 * longest_s:.0f} ms")
    panel.close_worker()
    panel.close()
    panel.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    state.close()
    return load_turn_s, longest_s
