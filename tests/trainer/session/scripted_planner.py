"""A planner process without networks: `python scripted_planner.py FOLDER` does what FOLDER/mode says.

good: row i of a chunk walks forwards with 0.1 m/s; nan, short, garbage: what a broken one might send; exit: dies on
a request; refuse: cannot be loaded; silent: does not answer before the mode is another one.
"""

import struct
import sys
import time
from pathlib import Path

import numpy as np

from trainer.session.planner_messages import Ask, Begin, Chunk, Note, Ready, Unready, read_message, write_message

HANDS = (0.3, 0.2, 0.0, 0.3, -0.2, 0.0)


def chunk(mode: str) -> np.ndarray:
    rows = np.zeros((7 if mode == "short" else 12, 19), np.float32)
    rows[:, 0] = 0.1
    rows[:, 3:9] = HANDS
    rows[:, 9] = rows[:, 13] = 1.0
    if mode == "nan":
        rows[5, 4] = np.nan
    return rows


def main(folder: Path) -> None:
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    read_message(incoming)
    if (folder / "mode").read_text() == "refuse":
        write_message(outgoing, Unready("the weights are of another planner; train one for this task"))
        return
    write_message(outgoing, Ready(1, 8, "scripted planner"))
    while True:
        try:
            message = read_message(incoming)
        except EOFError:
            return
        mode = (folder / "mode").read_text()
        if isinstance(message, Begin):
            write_message(outgoing, Note(f"begin {mode}"))
        elif isinstance(message, Ask):
            while mode == "silent":
                time.sleep(0.01)
                mode = (folder / "mode").read_text()
            if mode == "exit":
                sys.exit(3)
            if mode == "garbage":
                outgoing.write(struct.pack("<I", 9) + b"not a msg")
                outgoing.flush()
            else:
                write_message(outgoing, Chunk(message.number, chunk(mode), 1.0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
