"""`refine-dp queue`: jobs one after another on this machine, with priorities; they go on without terminal and window.

  refine-dp queue add JOB OPTIONS... [--priority P] [--after N]   options of `refine-dp JOB`; add --help says more
  refine-dp queue add-chain [--preset quick|standard|paper] [--dataset PATH]
  refine-dp queue list | stop N [--kill] | resume N|RUN | move N --by K [--priority P]
  refine-dp queue remove N|RUN | undo | trash [--empty] | log N [-f]

In OPTIONS, @N stands for what job N makes: its data set after --dataset, else its run folder. `@last` is the job that
was added last.
"""

import argparse
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trainer.jobs.chain import CHAIN_PRESETS
from trainer.progress import format_duration
from trainer.queue.desk import QueueDesk
from trainer.queue.entry import ENDED, Entry, QueueError
from trainer.queue.jobs import DEFAULT_RUNS, QUEUED_JOBS, job_module, runs_folder
from trainer.queue.outcome import tail
from trainer.run_rows import RunRow, read_rows

FOLLOW_PERIOD_S = 0.5
MOST_SAID = 60
"""Letters of a result or reason in the list; `log N` says all of it."""
ADD_USAGE = (
    "usage: refine-dp queue add JOB [OPTIONS] [--priority P] [--after N[,N]]",
    "",
    "Add a job; it starts when its turn comes and goes on without terminal and window.",
    "",
    "JOB is one of",
)
ADD_OPTIONS = (
    "",
    "OPTIONS are those of `refine-dp JOB`, --preset NAME too; `refine-dp queue add JOB --help` shows all of them.",
    "  @N, @last        as a path: what job N (the job added last) makes, which is waited for: its data set after",
    "                   --dataset, else its run folder",
    "  --runs PATH      folder of the run folders, which holds the queue (default: runs)",
    "",
    "  --priority P     higher runs first (default: 0)",
    "  --after N[,N]    begin when these jobs have finished",
    "",
    "refine-dp queue add pretrain --dataset @1 --preset quick",
)


def command(arguments: Sequence[str], desk: Callable[[Path], QueueDesk] = QueueDesk) -> int:
    """Run one command of the queue. Returns the exit status. Raises QueueError."""
    arguments = list(arguments)
    if arguments[:1] == ["add"]:
        return _add(arguments[1:], desk)
    options = _parser().parse_args(arguments)
    return int(options.run(options, desk(options.runs)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="refine-dp queue", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace, QueueDesk], int], text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.add_argument("--runs", type=Path, default=DEFAULT_RUNS, help="folder of the runs, which holds the queue")
        one.set_defaults(run=run)
        return one

    commands.add_parser("add", help="add a job; refine-dp queue add --help lists which")
    chain = add("add-chain", _add_chain, "collect, pretrain, evaluate, finetune, evaluate: each with the one before")
    chain.add_argument(
        "--preset", choices=CHAIN_PRESETS, default="quick", help="sizes of all five jobs, see refine-dp chain --help"
    )
    chain.add_argument("--dataset", type=Path, default=Path("data") / "chain.hdf5", help="data set to record to")
    add("list", _list, "jobs in the order in which they run, and runs that were started elsewhere")
    stop = add("stop", _stop, "ask a job to save and end; a waiting one is not started")
    stop.add_argument("job", help="number of a job, or a run folder")
    stop.add_argument("--kill", action="store_true", help="end it at once: what came after the last checkpoint is lost")
    resume = add("resume", _resume, "go on with a stopped, failed or killed job from its last checkpoint")
    resume.add_argument("job", help="number of a job, or a run folder")
    move = add("move", _move, "run a job earlier or later")
    move.add_argument("job", help="number of a job")
    move.add_argument("--by", type=int, default=0, help="places among the waiting jobs, earlier when negative")
    move.add_argument("--priority", type=int, help="higher runs first")
    remove = add("remove", _remove, "move a job and its run folder to the trash")
    remove.add_argument("job", help="number of a job, or a run folder")
    add("undo", _undo, "put back what was removed last")
    add("trash", _trash, "what was removed").add_argument("--empty", action="store_true", help="delete it for good")
    log = add("log", _log, "what a job printed")
    log.add_argument("job", help="number of a job")
    log.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    log.add_argument("-n", "--lines", type=int, default=30, help="lines at first")
    return parser


def take_option(arguments: list[str], name: str) -> str | None:
    """Remove `--name VALUE` or `--name=VALUE` from the arguments. Raises QueueError without a value."""
    for index, word in enumerate(arguments):
        if word.startswith(f"{name}="):
            del arguments[index]
            return word.split("=", 1)[1]
        if word == name:
            if index + 1 == len(arguments):
                raise QueueError(f"{name} needs a value: {name} NUMBER")
            value = arguments[index + 1]
            del arguments[index : index + 2]
            return value
    return None


def _whole(name: str, text: str) -> int:
    try:
        return int(text.lstrip("#@"))
    except ValueError:
        raise QueueError(f"{name} needs a whole number, got {text!r}") from None


def _add(arguments: list[str], make_desk: Callable[[Path], QueueDesk]) -> int:
    from trainer.cli import describe, parse, presets_of, take_preset

    if not arguments or arguments[0] in ("-h", "--help"):
        print(_add_help())
        return 0 if arguments else 2
    job, rest = arguments[0], arguments[1:]
    module = job_module(job)
    priority = _whole("--priority", take_option(rest, "--priority") or "0")
    after = tuple(_whole("--after", part) for part in (take_option(rest, "--after") or "").split(",") if part)
    presets = presets_of(module, rest)
    default, rest = take_preset(rest, presets)
    config = parse(module.Config, job, describe(module), _last_filled(rest), default)
    desk = make_desk(runs_folder(config))
    entry = desk.add(job, config, priority, after)
    print(f"{entry.title} added; refine-dp queue log {entry.id} -f shows what it does")
    return 0


def _add_help() -> str:
    """What `refine-dp queue add --help` prints."""
    from trainer.cli import JOBS

    width = max(map(len, QUEUED_JOBS))
    jobs = [f"  {name:<{width}}  {JOBS[name].help}" for name in QUEUED_JOBS]
    return "\n".join((*ADD_USAGE, *jobs, *ADD_OPTIONS))


def _last_filled(words: list[str]) -> list[str]:
    """@last becomes the number of the newest job of the queue that the words name."""
    if "@last" not in words:
        return words
    runs = list(words)
    root = Path(take_option(runs, "--runs") or DEFAULT_RUNS)
    newest = max((entry.id for entry in QueueDesk(root).store.entries()), default=None)
    if newest is None:
        raise QueueError(f"@last names no job: the queue of {root} is empty")
    return [f"@{newest}" if word == "@last" else word for word in words]


def _add_chain(options: argparse.Namespace, desk: QueueDesk) -> int:
    from trainer.queue.chain import add_chain, whole_chain

    entries = add_chain(desk, whole_chain(options.preset, options.dataset))
    for entry in entries:
        print(f"{entry.title} added")
    return 0


def _list(options: argparse.Namespace, desk: QueueDesk) -> int:
    table = Table(box=None, header_style="bold")
    for title in ("#", "job", "state", "priority", "done", "left", "result", "run folder"):
        table.add_column(title, overflow="fold")
    for row in read_rows(desk.store):
        table.add_row(*_cells(row))
    Console().print(table)
    return 0


def _cells(row: RunRow) -> tuple[str, ...]:
    number = "" if row.entry is None else str(row.entry.id)
    priority = "" if row.entry is None else str(row.entry.priority)
    done = "" if row.done is None else f"{100 * row.done:.0f} %"
    left = "" if row.left_s is None else format_duration(row.left_s)
    folder = "" if row.path is None else row.path.name
    said = textwrap.shorten(row.headline or row.message, MOST_SAID, placeholder="…")
    return number, row.job, row.state, priority, done, left, said, folder


def _target(text: str) -> int | Path:
    """A number of the queue, or a run folder."""
    stripped = text.lstrip("#@")
    return int(stripped) if stripped.isdigit() else Path(text)


def _stop(options: argparse.Namespace, desk: QueueDesk) -> int:
    target = _target(options.job)
    if isinstance(target, Path):
        desk.stop_run(target, options.kill)
        print(f"{target} was told to {'end at once' if options.kill else 'save and end'}")
        return 0
    entry = desk.stop(target, options.kill)
    print(f"{entry.title}: {'ended at once' if options.kill else entry.message}")
    return 0


def _resume(options: argparse.Namespace, desk: QueueDesk) -> int:
    target = _target(options.job)
    entry = desk.resume_run(target) if isinstance(target, Path) else desk.resume(target)
    print(f"{entry.title} goes on when its turn comes")
    return 0


def _move(options: argparse.Namespace, desk: QueueDesk) -> int:
    number = _whole("move", options.job)
    if options.priority is not None:
        desk.set_priority(number, options.priority)
    if options.by:
        desk.move(number, options.by)
    return _list(options, desk)


def _remove(options: argparse.Namespace, desk: QueueDesk) -> int:
    target = _target(options.job)
    deleted = desk.delete(None, target) if isinstance(target, Path) else desk.delete(target)
    print(f"{deleted.title} is in the trash; refine-dp queue undo puts it back")
    return 0


def _undo(options: argparse.Namespace, desk: QueueDesk) -> int:
    print(f"{desk.undo_delete().title} is back")
    return 0


def _trash(options: argparse.Namespace, desk: QueueDesk) -> int:
    if options.empty:
        size = desk.trash.size_bytes()
        print(f"{desk.trash.empty()} deleted for good, {size / 1e6:.1f} MB")
        return 0
    for deleted in desk.trash.contents():
        print(f"{deleted.number:4d}  {deleted.title}")
    print(f"{desk.trash.size_bytes() / 1e6:.1f} MB; refine-dp queue trash --empty deletes it for good")
    return 0


def _log(options: argparse.Namespace, desk: QueueDesk) -> int:
    number = _whole("log", options.job)
    path = desk.store.log_path(number)
    entry = desk.store.get(number)
    print("\n".join(tail(path, options.lines)))
    if options.follow:
        _follow(path, lambda: desk.store.get(number), time.sleep)
        entry = desk.store.get(number)
    print(f"{entry.title}: {entry.state}{': ' if entry.message else ''}{entry.message}")
    return 0


def _follow(path: Path, entry: Callable[[], Entry], sleep: Callable[[float], None]) -> None:
    """Print what is added to a log until its job has ended."""
    offset = path.stat().st_size if path.exists() else 0
    while True:
        over = entry().state in ENDED
        if path.exists():
            with path.open("rb") as file:
                file.seek(offset)
                added = file.read()
            offset += len(added)
            print(added.decode(errors="replace"), end="", flush=True)
        if over:
            return
        sleep(FOLLOW_PERIOD_S)
