"""Measure the controllers and write the table: walking, falls, hand tracking, and the baselines without learning."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from core.control.choices import ARMS_FILES, ControllerName
from core.control.evaluation.walking import WalkEvaluationConfig
from core.control.upper import ArmController
from core.control.whole_body import LegController
from trainer.runs import Run

PRESS_DEPTH_M = 0.04
"""How far inside an immovable box hands are commanded when they are measured with late targets."""


@dataclass(frozen=True)
class Config:
    """What to measure. Without options: the shipped controllers and the baselines."""

    runs: tuple[Path, ...] = ()
    "folders with controller.safetensors (and teacher.safetensors) of further trainings, lower or upper"
    shipped: Path = Path("assets/controllers")
    "folder of lower.safetensors, upper.safetensors and upper_robot.safetensors"
    only: tuple[str, ...] = ()
    "measure these rows only, such as legs/shipped arms/robot arms/ik_gravity; all when not given"
    walking_s: float = 2000.0
    "simulated seconds of steps for each row, once without and once with velocity kicks"
    hands_s: float = 600.0
    "simulated seconds of steps for each arm controller, and again for each delay"
    delays_ms: tuple[float, ...] = (0.0, 20.0, 40.0)
    "how late the arms' targets reach the joints, in further measurements of each arm controller"
    kick_m_s: float = 0.25
    "velocity kicks, uniform +- per horizontal axis, every 2 s on average"
    worlds: int = 100
    "robots side by side"
    threads: int = 0
    "simulator threads, 0: all cores"
    seed: int = 20_000
    "seed of commands, loads, arm motions and kicks, the same for every row"
    baselines: bool = True
    "also measure the model-based walk and inverse kinematics"
    json_path: Path = Path("assets/controllers/evaluation.json")
    "where the numbers are written; rows that are not measured now are kept"
    table: Path = Path("docs/controllers.md")
    "where the table is written"
    folder: Path = Path("runs")
    "folder in which the run folder is made"
    VERSION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.walking_s <= 0 or self.hands_s <= 0 or self.worlds < 1:
            raise ValueError("walking_s, hands_s and worlds must be positive")
        if any(delay < 0 for delay in self.delays_ms):
            raise ValueError(f"delays_ms cannot be negative, got {self.delays_ms}")


@dataclass(frozen=True)
class ArmEntry:
    """An arm controller to measure."""

    key: str
    label: str
    make: Callable[[], ArmController] = field(compare=False)
    about: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class LegEntry:
    """A leg controller to measure."""

    key: str
    label: str
    make: Callable[[int], LegController] = field(compare=False)
    "from the number of worlds"
    about: dict[str, Any] = field(default_factory=dict, compare=False)


def main(config: Config) -> int:
    """Measure, write JSON and table. Returns 0, or 130 when it was stopped before all rows were measured."""
    from trainer.job import open_run, work_in

    run, config = open_run("evaluate-controller", config, config.folder, config.seed, check=rows)
    return work_in(run, lambda stop: measure(config, run, stop), "rows that were measured are kept")


@dataclass(frozen=True)
class Row:
    """A row of the table: what to measure and where its numbers go."""

    part: str
    "legs or arms"
    key: str
    about: dict[str, Any]
    measure: Callable[[], dict[str, Any]]

    @property
    def name(self) -> str:
        """As the option `only` names it."""
        return f"{self.part}/{self.key}"


def rows(config: Config) -> list[Row]:
    """Every row that the options name. Raises ValueError when there is none, CheckpointError for a run without one."""
    legs = [
        Row("legs", entry.key, {"label": entry.label, **entry.about}, partial(measure_legs, entry, config))
        for entry in leg_entries(config)
    ]
    arms = [
        Row("arms", entry.key, {"label": entry.label, **entry.about}, partial(measure_arms, entry.make, config))
        for entry in arm_entries(config)
    ]
    found = legs + arms
    if not found:
        raise ValueError(f"nothing to measure: {config.shipped} holds no controller; name runs, or allow the baselines")
    names = [row.name for row in found]
    if unknown := [name for name in config.only if name not in names]:
        raise ValueError(f"row {unknown[0]!r} does not exist; known: {', '.join(names)}")
    return [row for row in found if not config.only or row.name in config.only]


def measure(config: Config, run: Run, stop_requested: Callable[[], bool]) -> bool:
    """Measure row after row, each is written as soon as it is known. Returns whether all were measured."""
    import torch

    from trainer.controller_table import write_table

    torch.set_num_threads(1)
    stored, asked = _load(config.json_path), rows(config)
    for done, row in enumerate(asked):
        run.event("progress", done=done, total=len(asked), text=f"{row.part}: {row.about['label']}")
        if stop_requested():
            return False
        print(f"{row.part}: {row.about['label']}", flush=True)
        stored.setdefault(row.part, {})[row.key] = row.about | row.measure()
        _store(config.json_path, stored)
    run.event("progress", done=len(asked), total=len(asked), text="rows")
    stored["settings"] = {"walking_s": config.walking_s, "kick_m_s": config.kick_m_s, "seed": config.seed}
    _store(config.json_path, stored)
    write_table(_strict(stored), config.table)
    print(f"wrote {config.table} and {config.json_path}")
    return True


def leg_entries(config: Config) -> list[LegEntry]:
    """Every leg controller that the options name."""
    from core.control.evaluation.model_based import ModelBasedController
    from core.control.lower import LowerController
    from core.control.training.lower_teacher import TeacherController

    entries = []
    shipped = config.shipped / "lower.safetensors"
    if shipped.is_file():
        facts = about(shipped)
        label = f"π_lower, shipped (seed {facts['seed']})"
        entries.append(LegEntry("shipped", label, lambda n: LowerController.load(shipped), facts))
    for run in config.runs:
        path, teacher = run / "controller.safetensors", run / "teacher.safetensors"
        if not path.is_file():
            raise FileNotFoundError(f"{run} has no controller.safetensors: give folders that train-controller wrote")
        facts = about(path)
        if facts["kind"] != "lower_controller":
            continue
        name = f"{facts['method']} seed {facts['seed']}"
        entries.append(LegEntry(name, f"π_lower, {name}", lambda n, p=path: LowerController.load(p), facts))
        if teacher.is_file():
            label = f"teacher seed {facts['seed']} (sees the reference)"
            entries.append(LegEntry(label, label, lambda n, p=teacher: TeacherController.load(p, n), facts))
    if config.baselines:
        entries.append(LegEntry("model-based", "reference with feedback, no learning", ModelBasedController))
    return entries


def about(path: Path) -> dict[str, Any]:
    """Seed, method and cost of a training, from the JSON beside its checkpoint."""
    header = json.loads(path.with_suffix(".json").read_text())
    metadata = header["metadata"]
    training = metadata.get("training", {})
    return {
        "kind": header["layout"]["kind"],
        "method": metadata.get("config", {}).get("method", "ppo"),
        "seed": metadata.get("seed"),
        "cpu_minutes": training.get("cpu_minutes"),
        "steps": training.get("steps"),
    }


def walk_config(config: Config, walking_s: float, kick_m_s: float) -> WalkEvaluationConfig:
    """Settings of one measurement."""
    return WalkEvaluationConfig(num_worlds=config.worlds, walking_s=walking_s, kick_m_s=kick_m_s, seed=config.seed)


def measure_legs(entry: LegEntry, config: Config) -> dict[str, Any]:
    """Walk without and with kicks."""
    from core.control.evaluation.walking import WalkEvaluation

    reports = {}
    for name, kick in (("calm", 0.0), ("kicked", config.kick_m_s)):
        evaluation = WalkEvaluation(walk_config(config, config.walking_s, kick), config.threads)
        report = evaluation.run(entry.make(config.worlds))
        evaluation.close()
        reports[name] = asdict(report)
        print(
            f"  {name}: feet {100 * report.placement_median_m:.2f} / {100 * report.placement_p95_m:.2f} cm, "
            f"distance {100 * report.distance_ratio:.1f} %, {report.falls} falls in {report.walking_s:.0f} s",
            flush=True,
        )
    return reports


def arm_entries(config: Config) -> list[ArmEntry]:
    """Every arm controller that the options name."""
    from core.control.ik_arms import IkArmController
    from core.control.upper import UpperController
    from core.control.whole_body import load_arms

    entries = []
    shipped: tuple[tuple[str, ControllerName, str], ...] = (
        ("shipped", "learned", "shipped"), ("robot", "robot_arms", "shipped for robots"),
    )  # fmt: skip
    for key, name, what in shipped:
        path = config.shipped / ARMS_FILES[name]
        if path.is_file():
            facts = about(path)
            label = f"π_upper, {what} (seed {facts['seed']})"
            entries.append(ArmEntry(key, label, partial(load_arms, name, config.shipped), facts))
    for run in config.runs:
        path = run / "controller.safetensors"
        facts = about(path)
        if facts["kind"] == "upper_controller":
            label = f"seed {facts['seed']}"
            entries.append(ArmEntry(label, f"π_upper, {label}", lambda p=path: UpperController.load(p), facts))
    if config.baselines:
        weighed = "inverse kinematics + gravity"
        entries.append(ArmEntry("ik", "inverse kinematics", IkArmController))
        entries.append(ArmEntry("ik_gravity", weighed, lambda: IkArmController(gravity_compensation=True)))
    return entries


def measure_arms(make: Callable[[], ArmController], config: Config) -> dict[str, Any]:
    """Hand errors and trembling on the shipped legs; the grasp and contact measurements on a fixed base."""
    from core.control.evaluation.arms import UpperEvaluationConfig, evaluate_upper
    from core.control.evaluation.hands import evaluate_hands
    from core.control.evaluation.trembling import TremblingConfig, evaluate_trembling
    from core.control.lower import LowerController

    results: dict[str, Any] = {"fixed_base": evaluate_upper(make, UpperEvaluationConfig(threads=config.threads))}
    legs = config.shipped / "lower.safetensors"
    if legs.is_file():
        hands, walk = evaluate_hands(
            LowerController.load(legs), make(), walk_config(config, config.hands_s, 0.0), config.threads
        )
        results["hands"], results["walk"] = asdict(hands), asdict(walk)
        still = TremblingConfig(seed=config.seed)
        trembling = evaluate_trembling(LowerController.load(legs), make(), still, config.threads)
        results["trembling"] = asdict(trembling)
        results["late"] = [measure_late(make, delay_ms, config) for delay_ms in config.delays_ms]
        print(
            f"  standing {100 * hands.standing_m[0]:.2f} cm, walking {100 * hands.walking_m[0]:.2f} cm, "
            f"{walk.falls} falls, trembling {trembling.joints_rad_s:.4f} rad/s",
            flush=True,
        )
    return results


def measure_late(make: Callable[[], ArmController], delay_ms: float, config: Config) -> dict[str, Any]:
    """Hand errors and trembling with targets that arrive late, and how hard blocked hands press then."""
    from core.control.evaluation.arms import HELD_OUT_SEED, UpperEvaluationConfig, blocked_force
    from core.control.evaluation.hands import evaluate_hands
    from core.control.evaluation.late_arms import LateArms
    from core.control.evaluation.trembling import TremblingConfig, evaluate_trembling
    from core.control.lower import LowerController

    legs = config.shipped / "lower.safetensors"
    late = lambda: LateArms(make(), 1e-3 * delay_ms)  # noqa: E731  # each measurement begins with a fresh one
    walk = walk_config(config, config.hands_s, 0.0)
    hands, walked = evaluate_hands(LowerController.load(legs), late(), walk, config.threads)
    still = TremblingConfig(seed=config.seed)
    trembling = evaluate_trembling(LowerController.load(legs), late(), still, config.threads)
    press = blocked_force(late(), PRESS_DEPTH_M, UpperEvaluationConfig(threads=config.threads), HELD_OUT_SEED)
    print(f"  {delay_ms:.0f} ms late: standing {100 * hands.standing_m[0]:.2f} cm, {walked.falls} falls", flush=True)
    return {
        "delay_ms": delay_ms, "hands": asdict(hands), "walk": asdict(walked), "trembling": asdict(trembling),
        "blocked": press,
    }  # fmt: skip


def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.is_file() else {}


def _store(path: Path, stored: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_strict(stored), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _strict(value: Any) -> Any:
    """Plain JSON has no NaN: what could not be measured is null."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    sys.exit(main(Config()))
