"""The whole chain: collect demonstrations, pre-train, evaluate, fine-tune, evaluate; with progress and a table.

The jobs go through the queue of the runs folder. Ctrl-C asks the job at work to save and end; what is stopped goes on
with `refine-dp queue resume N`. A chain that is in the queue already is watched instead of queued again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Config:
    """Sizes of the jobs and where they leave what they make."""

    preset: Literal["quick", "paper"] = "quick"
    "quick: 50 demonstrations and small budgets, in minutes on two cores; paper: 1000 demonstrations, hours"
    dataset: Path = Path("data") / "chain.hdf5"
    "data set (HDF5) to record to; demonstrations that are there already are used"
    runs: Path = Path("runs")
    "folder in which run folders and queue are"
    VERSION: ClassVar[int] = 1


def main(config: Config) -> int:
    """Queue the chain and watch it. Returns 0 when all jobs finished, 1 when one failed, 130 when it was stopped."""
    from trainer.chain_watch import ChainWatch
    from trainer.interrupt import stop_on_signals
    from trainer.job import EXIT_STOPPED
    from trainer.queue.chain import queued_chain, whole_chain
    from trainer.queue.command import add_chain
    from trainer.queue.desk import QueueDesk

    desk = QueueDesk(config.runs)
    numbers = queued_chain(desk.store.entries())
    if numbers:
        print(f"the queue of {config.runs} has a chain at work: watching it")
    else:
        numbers = [entry.id for entry in add_chain(desk, whole_chain(config.preset, config.dataset))]
    watch = ChainWatch(desk, numbers)
    with stop_on_signals() as stop:
        well = watch.watch(lambda: stop.requested)
    watch.tell_end()
    return 0 if well else EXIT_STOPPED if stop.requested else 1
