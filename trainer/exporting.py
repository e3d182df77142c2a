"""The job of `refine-dp export`: which networks, on which observations they are compared, where the files go."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.control import lower, upper
from core.control.choices import ARMS_FILES, LEGS_FILE
from core.control.safety import SafetyFilter
from core.control.whole_body import CONTROLLERS, WholeBodyController
from core.data.dataset import Dataset
from core.data.windows import make_windows, read_recording
from core.export.graph import Parity, export
from core.planners.base import Source
from core.policy.checkpoint import load_planner
from core.policy.chunks import ChunkPlayer
from core.policy.layout import PlannerLayout
from core.policy.onnx_planner import export_planner, file_hash
from core.rl.checkpoint import Layout
from core.rl.header import CheckpointError, read_header
from core.rl.networks import Actor
from core.rollout import CommandSent, Observer, Rollout
from core.tasks.base import Task
from core.tasks.catalogue import make_task
from trainer.jobs.export import Config
from trainer.planner_files import planner_path
from trainer.session.parts import load_controller, make_backend, make_heuristic, safety_limits

EPISODE_S = 15.0
"""So much of an episode is looked at: walking, reaching and, if all goes well, lifting."""
CONTROLLER_TASK = "box_pickup"


def export_all(config: Config, write: Callable[[str], None] = print) -> list[Path]:
    """Export every checkpoint of the config. Raises CheckpointError for the first that cannot be."""
    torch.set_num_threads(1)
    checkpoints = config.checkpoint or tuple(CONTROLLERS / file for file in (LEGS_FILE, *ARMS_FILES.values()) if file)
    written = []
    for checkpoint in checkpoints:
        source = planner_path(checkpoint)
        path = config.out / source.with_suffix(".onnx").name
        if path in written:
            raise CheckpointError(f"two checkpoints would be written to {path}; export them into different folders")
        parity = export_checkpoint(source, path, config)
        write(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {parity}")
        written.append(path)
    return written


def export_checkpoint(source: Path, path: Path, config: Config) -> Parity:
    """One planner or controller, told apart by its header."""
    kind = read_header(source)["layout"].get("kind")
    match kind:
        case "planner":
            stored = load_planner(source)
            observations = planner_observations(config, stored.planner.layout, source)
            return export_planner(stored, source, observations, path, config.tolerance, config.seed)
        case lower.LAYOUT.kind:
            return _export_actor(lower.LowerController.load(source).actor, lower.LAYOUT, source, path, config)
        case upper.LAYOUT.kind:
            return _export_actor(upper.UpperController.load(source).actor, upper.LAYOUT, source, path, config)
    known = ", ".join(("planner", lower.LAYOUT.kind, upper.LAYOUT.kind))
    raise CheckpointError(f"{source} holds a {kind!r}; what can be exported: {known}")


def _export_actor(actor: Actor, layout: Layout, source: Path, path: Path, config: Config) -> Parity:
    """The mean action for observations: rows are robots of pi_lower, arms (left, right) of pi_upper."""
    samples = [(rows,) for rows in actor_observations(layout, config)]
    metadata = {
        "kind": f"onnx_{layout.kind}",
        "version": layout.version,
        "observation": [list(part) for part in layout.observation],
        "action": list(layout.action),
        "checkpoint_sha256": file_hash(source),
        "controller": read_header(source)["metadata"],
    }
    return export(actor, samples, ("observations",), path, metadata, config.tolerance)


# ---------------------------------------------------------------------------------------------------- observations


def planner_observations(config: Config, layout: PlannerLayout, checkpoint: Path) -> Float[Tensor, "M To Do"]:
    """What a planner really sees: windows of a data set, or of an episode that it drives in simulation.

    Raises LayoutError for a data set of another task.
    """
    if config.dataset is None:
        task = make_task(layout.task, 1)
        stored = load_planner(checkpoint, PlannerLayout.of_task(task))
        player = ChunkPlayer(stored.planner, task, stored.config.executed_steps)
        histories: list[Tensor] = []
        _drive(task, player, config.seed, lambda: histories.append(player.history[0].clone()))
        return _spread(torch.stack(histories), config.samples)
    recording = read_recording(Dataset(config.dataset), successes_only=False)
    layout.check_fits(PlannerLayout.of_dataset(recording.spec), f"the data set {config.dataset}")
    windows = make_windows(recording.lengths, layout.observation_horizon, layout.action_chunk)
    rows = np.linspace(0, len(windows) - 1, min(config.samples, len(windows))).round().astype(int)
    return torch.from_numpy(recording.observations[windows.observation_rows[rows]])


def actor_observations(layout: Layout, config: Config) -> list[Tensor]:
    """What a controller's network sees while the heuristic drives an episode."""
    task = make_task(CONTROLLER_TASK, 1)
    controller = load_controller("learned", "mujoco", 1)
    assert isinstance(controller, WholeBodyController)
    network = (controller.lower if layout.kind == lower.LAYOUT.kind else controller.upper).actor  # type: ignore[attr-defined]  # both are the learned ones
    assert isinstance(network, nn.Module)
    seen: list[Tensor] = []
    hook = network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    _drive(task, make_heuristic(task, "simulation"), config.seed, lambda: None, controller)
    hook.remove()
    return list(_spread(torch.stack(seen), config.samples))


def _drive(
    task: Task, source: Source, seed: int, look: Callable[[], None], controller: WholeBodyController | None = None
) -> None:
    """One episode, `EPISODE_S` at most; `look` is called after each command."""

    class Looker(Observer):
        def command_sent(self, record: CommandSent) -> None:
            look()

    seeds = iter((seed,))
    backend = make_backend("mujoco", task)
    try:
        rollout = Rollout(
            task,
            backend,
            source,
            SafetyFilter(safety_limits("simulation")),
            controller or load_controller("learned", "mujoco", 1),
            lambda: next(seeds, None),
            (Looker(),),
        )
        rollout.begin()
        while bool(rollout.active[0]) and float(rollout.state.time_s[0]) < EPISODE_S:
            rollout.step()
    finally:
        backend.close()


def _spread(rows: Tensor, count: int) -> Tensor:
    """`count` of them at most, evenly over the episode."""
    return rows[torch.linspace(0, len(rows) - 1, min(count, len(rows))).round().long()]
