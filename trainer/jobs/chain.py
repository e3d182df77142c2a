"""The whole chain: collect demonstrations, pre-train, evaluate, fine-tune, evaluate; with progress and a table.

The jobs go through the queue of the runs folder. Ctrl-C asks the job at work to save and end; the same command goes on
with a chain that was stopped, and watches one that is at work.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

ChainPreset = Literal["quick", "standard", "paper"]
CHAIN_PRESETS: tuple[ChainPreset, ...] = get_args(ChainPreset)


@dataclass(frozen=True)
class Config:
    """Sizes of the jobs and where they leave what they make."""

    preset: ChainPreset = "quick"
    "50 demonstrations, tuned in 20 (quick, 20 minutes) or 40 iterations (standard); paper: 1000 and 40, hours"
    dataset: Path = Path("data") / "chain.hdf5"
    "data set (HDF5) to record to; demonstrations that are there already are used"
    runs: Path = Path("runs")
    "folder in which run folders and queue are"
    VERSION: ClassVar[int] = 1


def main(config: Config) -> int:
    """Queue the chain, or go on with one, and watch it. Returns 0 when all jobs finished, 1 when one failed, 130 when
    it was stopped."""
    from trainer.chain_watch import ChainError, ChainWatch
    from trainer.command_line import options_of
    from trainer.job import open_run, work_in
    from trainer.queue.chain import go_on_or_queue
    from trainer.queue.desk import QueueDesk

    desk = QueueDesk(config.runs)
    numbers, said = go_on_or_queue(desk, config.preset, config.dataset)
    run, config = open_run("chain", config, config.runs, seed=0)
    print(said)
    watch = ChainWatch(desk, numbers, run)
    again = shlex.join(["refine-dp", "chain", *options_of(config, Config())])
    try:
        return work_in(run, watch.work, f"go on with: {again}")
    except ChainError:
        return 1
