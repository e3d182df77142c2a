"""What a form offers to choose from: data sets, planners, and the results of jobs that are still to run."""

from pathlib import Path

from app.state import AppState
from app.training.runs import Runs
from app.widgets.path_box import PathChoice
from trainer.planner_files import find_planners

DATA_FOLDER = Path("data")
SUFFIXES = (".hdf5", ".h5")
MAKE_PLANNERS = ("pretrain", "finetune")


class Choices:
    """Looks at what is there each time it is asked."""

    def __init__(self, state: AppState, runs: Runs) -> None:
        self._state, self._runs = state, runs

    def datasets(self) -> tuple[PathChoice, ...]:
        """Data sets beside the one that is browsed, in data/, and those that queued collections will make."""
        folders = [DATA_FOLDER]
        if self._state.dataset is not None:
            folders.append(self._state.dataset.parent)
        found = dict.fromkeys(
            _shorter(path)
            for folder in folders
            if folder.is_dir()
            for path in sorted(folder.iterdir())
            if path.suffix in SUFFIXES
        )
        queued = [
            PathChoice(f"@{row.entry.id}", f"what {row.title} records ({row.state})")
            for row in self._runs.rows
            if row.entry is not None and row.job == "collect" and row.state in ("waiting", "running")
        ]
        return (*queued, *(PathChoice(path, "data set") for path in found))

    def planners(self) -> tuple[PathChoice, ...]:
        """Planners that queued jobs will make, then those of runs and those that come with the program."""
        queued = [
            PathChoice(f"@{row.entry.id}", f"the planner of {row.title} when it is done ({row.state})")
            for row in self._runs.rows
            if row.entry is not None and row.job in MAKE_PLANNERS and row.state in ("waiting", "running")
        ]
        found = find_planners(self._runs.root)
        return (*queued, *(PathChoice(_shorter(planner.path), f"{planner.title}\n{planner.hint}") for planner in found))


def _shorter(path: Path) -> str:
    """Relative to where the window was started, where it is below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
