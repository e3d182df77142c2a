"""Where runs are kept."""

from pathlib import Path

RUNS_ROOT = Path("runs")
"Where jobs put their run folders, unless told otherwise: below the folder in which the window was started"
