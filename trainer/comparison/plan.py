"""What a comparison consists of: rows (planners) and the steps that lead to their numbers."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, assert_never

from core.tasks.start_scale import MAXIMUM, PRETRAINING
from trainer.jobs import evaluate, finetune, pretrain
from trainer.jobs.compare import Config, RowName

StepKind = Literal["pretrain", "finetune", "evaluate"]
LABELS: dict[RowName, str] = {
    "dit": "DiT, pre-trained",
    "mlp": "MLP, pre-trained",
    "mlp-ft": "MLP-FT",
    "residual": "residual RL",
    "dppo": "DPPO (REFINE-DP)",
    "scratch": "DPPO from random weights",
}


@dataclass(frozen=True)
class Row:
    """One planner of the comparison."""

    key: str
    "name in files and on the command line"
    label: str
    method: RowName
    demonstrations: int
    base: str | None
    "key of the pre-trained planner that it begins with; None: it is pre-trained itself"
    start_scale: str = PRETRAINING
    "where its episodes begin, in fine-tuning and evaluation"
    curriculum: bool = False
    "in fine-tuning they begin as in the demonstrations and are led there"


@dataclass(frozen=True)
class Step:
    """One training or one evaluation."""

    kind: StepKind
    row: Row

    @property
    def key(self) -> str:
        """Name of its folder."""
        return f"{self.kind}-{self.row.key}"

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.kind} {self.row.label}"


@dataclass(frozen=True)
class Plan:
    """Everything, in the order in which it is done."""

    rows: tuple[Row, ...]
    steps: tuple[Step, ...]
    given: dict[str, Path]
    "key of a row -> planner that exists already"


def make_plan(config: Config) -> Plan:
    """Rows and steps. Raises ValueError for a given planner that is of no row, and when a data set is missing."""
    rows = rows_of(config)
    given = given_planners(config, rows)
    shown = [row for row in rows if is_shown(row, config, given)]
    steps: list[Step] = []
    for row in shown:
        steps += [Step("pretrain", base) for base in rows if base.key == row.base and base.key not in given]
        if row.key not in given:
            steps.append(Step("pretrain" if row.base is None else "finetune", row))
        steps.append(Step("evaluate", row))
    plan = Plan(tuple(shown), tuple(dict.fromkeys(_needed(steps, given))), given)
    if config.dataset is None and any(step.kind == "pretrain" for step in plan.steps):
        missing = ", ".join(step.row.key for step in plan.steps if step.kind == "pretrain")
        raise ValueError(
            f"a data set is needed to pre-train {missing}: --dataset PATH, or give planners: --use NAME=PATH"
        )
    return plan


def _needed(steps: list[Step], given: dict[str, Path]) -> list[Step]:
    """Without the pre-training of what is only needed by planners that are given."""
    bases = {step.row.base for step in steps if step.kind == "finetune"}
    shown = {step.row.key for step in steps if step.kind == "evaluate"}
    return [step for step in steps if step.kind != "pretrain" or step.row.key in bases | shown - given.keys()]


def is_shown(row: Row, config: Config, given: Collection[str]) -> bool:
    """Whether a row stands in the table: some are only trained because others begin with them.

    A sweep shows every planner that is given, too: fine-tuning is dear, and some of it may exist.
    """
    return row.method in config.rows or (config.sweep != "none" and row.key in given)


def rows_of(config: Config) -> list[Row]:
    """Of the methods, or of a sweep."""
    match config.sweep:
        case "none":
            return method_rows(config)
        case "demonstrations":
            return sweep_rows(config)
        case "curriculum":
            return curriculum_rows(config)
        case _:
            assert_never(config.sweep)


def method_rows(config: Config) -> list[Row]:
    """One row a method, in the order of the labels; the pre-trained ones that others begin with are always there."""
    bases: dict[RowName, str] = {"mlp-ft": "mlp", "residual": "dit", "dppo": "dit", "scratch": "dit"}
    return [Row(name, label, name, config.demonstrations, bases.get(name)) for name, label in LABELS.items()]


def sweep_rows(config: Config) -> list[Row]:
    """Before and after fine-tuning, for every number of demonstrations."""
    rows = []
    for count in sorted(config.counts):
        before = Row(f"dit-{count}", f"DiT, {count} demonstrations", "dit", count, None)
        after = Row(f"dppo-{count}", f"DPPO, {count} demonstrations", "dppo", count, before.key)
        rows += [before, after]
    return rows


def curriculum_rows(config: Config) -> list[Row]:
    """At the widest starts (B104-B106): before fine-tuning, fine-tuned there at once, and led there."""
    count = config.demonstrations
    return [
        Row("dit", "DiT, pre-trained", "dit", count, None, MAXIMUM),
        Row("direct", "DPPO, widest starts at once", "dppo", count, "dit", MAXIMUM),
        Row("led", "DPPO, curriculum of starts", "dppo", count, "dit", MAXIMUM, curriculum=True),
    ]


def given_planners(config: Config, rows: list[Row]) -> dict[str, Path]:
    """The planners of --use. Raises ValueError for a name without a row or a path without anything."""
    known = [row.key for row in rows]
    given = {}
    for entry in config.use:
        name, _, path = entry.partition("=")
        if name not in known:
            raise ValueError(f"use {entry!r}: there is no row {name!r}; known: {', '.join(known)}")
        if not Path(path).exists():
            raise ValueError(f"use {entry!r}: {path} does not exist; give a planner (.safetensors) or a run folder")
        given[name] = Path(path)
    return given


def step_config(config: Config, step: Step, planners: dict[str, Path], folder: Path) -> Any:
    """The config of the job that does a step; `planners`: key of a row -> its planner, as far as there is one."""
    match step.kind:
        case "pretrain":
            return pretrain_config(config, step.row, folder)
        case "finetune":
            assert step.row.base is not None
            return finetune_config(config, step.row, planners[step.row.base], folder)
        case "evaluate":
            return evaluate_config(config, step.row, planners[step.row.key], folder)
        case _:
            assert_never(step.kind)


def pretrain_config(config: Config, row: Row, folder: Path) -> pretrain.Config:
    """The preset with this data set and budget; the comparison measures, so the training itself does not."""
    base = pretrain.PRESETS[config.pretrain_preset]
    steps = config.pretrain_steps or base.learner.steps
    return replace(
        base,
        dataset=config.dataset,
        episodes=row.demonstrations,
        planner=replace(base.planner, kind="mlp" if row.method == "mlp" else "dit"),
        learner=replace(base.learner, steps=steps, warmup_steps=min(base.learner.warmup_steps, steps // 10)),
        evaluate_episodes=0,
        seed=config.training_seed,
        backend=config.backend,
        device=config.device,
        threads=config.threads,
        runs=folder,
    )


def finetune_config(config: Config, row: Row, start: Path, folder: Path) -> finetune.Config:
    """The preset with this budget."""
    base = finetune.PRESETS[config.finetune_preset]
    method = row.method if row.method in ("mlp-ft", "residual") else "dppo"
    return replace(
        base,
        checkpoint=start,
        method=method,
        from_scratch=row.method == "scratch",
        iterations=config.iterations or base.iterations,
        worlds=config.finetune_worlds or base.worlds,
        max_minutes=config.max_minutes or base.max_minutes,
        start_scale=PRETRAINING if row.curriculum else row.start_scale,
        curriculum=row.curriculum,
        evaluate_episodes=0,
        seed=config.training_seed,
        backend=config.backend,
        controller=config.controller,
        device=config.device,
        threads=config.threads,
        runs=folder,
    )


def evaluate_config(config: Config, row: Row, planner: Path, folder: Path) -> evaluate.Config:
    """The same seeds for every row."""
    return evaluate.Config(
        checkpoint=planner,
        task=config.task,
        episodes=config.episodes,
        seed=config.seed,
        worlds=config.worlds,
        start_scale=row.start_scale,
        backend=config.backend,
        controller=config.controller,
        runs=folder,
        report=folder / "report.html" if config.row_reports else None,
    )
