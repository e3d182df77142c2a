"""What the words @N of a job's options stand for, once job N has finished."""

from pathlib import Path

from trainer.queue.entry import Entry, QueueError, option_of, references

DATASET_OPTION = "--dataset"


def filled_in(arguments: tuple[str, ...], entries: dict[int, Entry]) -> list[str]:
    """The options with every @N replaced: by the data set of job N after --dataset, else by its run folder.

    Raises QueueError where job N made no such thing.
    """
    words = list(arguments)
    for index, word in enumerate(arguments):
        for number in references((word,)):
            words[index] = str(_result(entries[number], option_of(arguments, index)))
    return words


def _result(entry: Entry, option: str) -> Path:
    if option == DATASET_OPTION:
        name = entry.config.get("dataset")
        if not isinstance(name, str):
            raise QueueError(f"{entry.title} records no data set, but is named after {DATASET_OPTION}")
        return Path(entry.folder) / name
    if entry.run is None:
        raise QueueError(f"{entry.title} has no run folder, but is named after {option or 'an option'}")
    return Path(entry.run)
