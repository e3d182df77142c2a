"""Kills recording processes with SIGKILL at random moments and checks what is left; prints the result as JSON.

usage: PYTHONPATH=.:tests/core/data python tests/core/data/kill_rounds.py FOLDER ROUNDS SEED
"""

import json
import os
import random
import signal
import sys
import time
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from recording import make_samples, make_spec, make_start

from core.data.episodes import DatasetWriter

WORLDS = 4
LENGTHS = (3, 40)
MAX_DELAY_S = 0.08
VARIANTS = 25


@cache
def _made(variant):
    return make_samples(random.Random(variant).randint(*LENGTHS), variant)


def samples_of(seed):
    """The episode with this seed: one of 25, made before the writers start so that they only write."""
    return _made(seed % VARIANTS)


def write_forever(path, log, first_seed):
    """Record several worlds, each append and finish noted in the log after it returned, with edits in between."""
    seed = first_seed
    with DatasetWriter.open(path, make_spec(), create=True) as writer:
        worlds = []
        while True:
            while len(worlds) < WORLDS:
                rows = samples_of(seed)
                worlds.append([seed, rows, writer.begin(make_start(rows[0], seed)), 0])
                seed += 1
            for world in list(worlds):
                number, rows, episode, t = world
                episode.append(rows[t])
                world[3] += 1
                os.write(log, f"append {number} {world[3]}\n".encode())
                if world[3] == len(rows):
                    info = episode.finish(True)
                    os.write(log, f"finish {number} {info.name}\n".encode())
                    worlds.remove(world)
                    if number % 5 == 0:
                        os.write(log, f"trying {number}\n".encode())
                        writer.set_label(info.name, False, "odd")
                        writer.undo()
                        writer.delete([info.name])
                        os.write(log, f"delete {number} {info.name}\n".encode())


def read_log(path):
    """(samples acknowledged by seed, names of finished episodes by seed, seeds being edited, seeds deleted)."""
    appended, finished, trying, deleted = {}, {}, set(), set()
    for line in path.read_text().splitlines():
        match line.split():
            case "append", seed, count:
                appended[int(seed)] = int(count)
            case "finish", seed, name:
                finished[int(seed)] = name
            case "trying", seed:
                trying.add(int(seed))
            case "delete", seed, _:
                deleted.add(int(seed))
    return appended, finished, trying, deleted


def check_episode(group, complete):
    """Every array equals the head of the episode that its seed stands for; `complete`: all of it."""
    rows = samples_of(int(group.attrs["seed"]))
    count = int(group.attrs["num_samples"])
    assert count == len(rows) if complete else count <= len(rows), (group.name, count, len(rows))
    for name in rows[0]:
        expected = np.stack([row[name] for row in rows[:count]])
        np.testing.assert_array_equal(group[name][()], expected, err_msg=f"{group.name} {name}")


def run_round(folder, first_seed, delay_s, tally):
    path, log_path = folder / "box.hdf5", folder / "log"
    log_path.write_text("")
    child = os.fork()
    if child == 0:
        try:
            write_forever(path, os.open(log_path, os.O_WRONLY | os.O_APPEND), first_seed)
        finally:
            os._exit(1)  # only an error leads here
    time.sleep(delay_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself"
    check(path, log_path, first_seed, tally)


def check(path, log_path, first_seed, tally):
    appended, finished, trying, deleted = read_log(log_path)
    tally["rounds"] += 1
    tally["finished"] += len(finished)
    if not path.exists():
        assert not appended
        return
    with h5py.File(path, "r") as file:  # before any repair
        seen = {int(group.attrs["seed"]): group for group in file["data"].values()}
        lost = set(finished) - set(seen) - trying
        assert not lost, f"finished episodes {lost} are gone"
        assert not deleted & set(seen), "deleted episodes are back"
        for group in seen.values():
            if group.attrs["label"] != "recovered":
                check_episode(group, complete=True)
        assert file["data"].attrs["total"] == sum(int(g.attrs["num_samples"]) for g in file["data"].values())
    still_open = {seed: count for seed, count in appended.items() if seed not in finished}
    with DatasetWriter.open(path, make_spec()) as writer:
        recovered = {info.seed: info for info in writer.recovered}
        for seed, count in still_open.items():
            if seed in seen:  # finished, but killed before the acknowledgement
                continue
            got = recovered[seed].num_samples if seed in recovered else 0
            tally["worst_loss"] = max(tally["worst_loss"], count - got)
            assert count <= got <= count + 1, f"episode {seed}: {count} samples acknowledged, {got} recovered"
            tally["recovered"] += 1
        assert not set(recovered) & set(finished), "a finished episode came back as recovered"
        assert all(seed >= first_seed for seed in recovered), "an episode of an earlier round came back"
    with h5py.File(path, "r") as file:
        for info in recovered.values():
            assert info.label == "recovered"
            check_episode(file[f"data/{info.name}"], complete=False)
    leftovers = {p.name for p in path.parent.iterdir()} - {"box.hdf5", "log"}
    assert leftovers <= {"box.hdf5.new"}, leftovers


def main():
    folder, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    random_delay = random.Random(seed)
    for variant in range(VARIANTS):
        samples_of(variant)
    tally = {"rounds": 0, "finished": 0, "recovered": 0, "worst_loss": 0}
    for number in range(rounds):
        run_round(folder, 1_000 * number, random_delay.uniform(0, MAX_DELAY_S), tally)
        if number % 20 == 19:
            (folder / "box.hdf5").unlink(missing_ok=True)
    print(json.dumps(tally))


if __name__ == "__main__":
    main()
