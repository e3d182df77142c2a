"""What a form offers to choose from: data sets, planners, and the results of jobs that are still to run."""

from pathlib import Path

from app.state import AppState
from app.training.runs import Runs
from app.widgets.path_box import PathChoice
from trainer.run_rows import RunRow

DATA_FOLDER = Path("data")
SUFFIXES = (".hdf5", ".h5")
SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "planners"
MAKE_PLANNERS = ("pretrain", "finetune")
PLANNER_FILE = "planner.safetensors"


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
        """Runs that hold a planner, those that will, and the planners that come with the program."""
        found = [choice for row in self._runs.rows if (choice := _planner_of(row)) is not None]
        shipped = sorted(SHIPPED.rglob("*.safetensors")) if SHIPPED.is_dir() else []
        return (*found, *(PathChoice(_shorter(path), "comes with the program") for path in shipped))


def _planner_of(row: RunRow) -> PathChoice | None:
    if row.job not in MAKE_PLANNERS:
        return None
    if row.entry is not None and row.state in ("waiting", "running"):
        return PathChoice(f"@{row.entry.id}", f"the planner of {row.title} when it is done ({row.state})")
    if row.path is not None and (row.path / PLANNER_FILE).is_file():
        return PathChoice(_shorter(row.path), f"{row.title}: {row.headline or row.state}")
    return None


def _shorter(path: Path) -> str:
    """Relative to where the window was started, where it is below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
