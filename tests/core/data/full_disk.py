"""Records on a small disk until it is full, frees space, goes on; prints what happened as JSON.

usage: PYTHONPATH=.:tests/core/data python full_disk.py FOLDER disk|limit RUNS
limit: a file size limit stands for the disk
"""

import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
from recording import make_samples, make_spec, make_start

from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter
from core.data.errors import DatasetFullError

LIMIT_BYTES = 300_000
SHORT = make_samples(15, 1)
LONG = make_samples(60, 2)


class SmallDisk:
    """A folder on a nearly full disk, with ballast that can be freed."""

    def __init__(self, folder, mode, room):
        self.folder, self.mode = folder, mode
        self.ballast = folder / "ballast"
        if mode == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            return
        free = os.statvfs(folder)
        with self.ballast.open("wb", buffering=0) as file, suppress(OSError):  # the disk needs a little for itself
            file.write(bytes(max(0, free.f_bavail * free.f_frsize - room)))

    def free(self):
        if self.mode == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        else:
            self.ballast.unlink()

    def clean(self):
        for file in self.folder.glob("box.hdf5*"):
            file.unlink()


def check_whole(path, seeds):
    with h5py.File(path, "r") as file:
        found = {int(g.attrs["seed"]): g for g in file["data"].values()}
        assert set(found) == set(seeds), (set(found), set(seeds))
        for group in found.values():
            rows = LONG if group.attrs["seed"] == 2000 else SHORT
            np.testing.assert_array_equal(group["actions"][()], [r["actions"] for r in rows])


def fill(writer, long_one, finished):
    """Record until the disk is full; returns the short episode that is stuck and how many samples it has."""
    long_fed = 0
    for seed in range(1000):
        try:
            episode = writer.begin(make_start(SHORT[0], seed))
        except DatasetFullError as error:
            return None, 0, long_fed, error
        for t, sample in enumerate(SHORT):
            try:
                episode.append(sample)
            except DatasetFullError as error:
                return episode, t + 1, long_fed, error
            if long_fed < len(LONG) - 10 and t == 0:
                long_fed += 1
                try:
                    long_one.append(LONG[long_fed - 1])
                except DatasetFullError as error:
                    return episode, t + 1, long_fed, error
        try:
            episode.finish(True)
        except DatasetFullError as error:
            return episode, len(SHORT), long_fed, error
        finished.append(seed)
    raise AssertionError("the disk never filled")


def run(folder, mode, room):
    """One disk filled at another byte; returns what the writer was doing when it was full."""
    path = folder / "box.hdf5"
    DatasetWriter.open(path, make_spec(), create=True).close()
    disk = SmallDisk(folder, mode, room)
    finished = []
    writer = DatasetWriter.open(path, make_spec())
    long_one = writer.begin(make_start(LONG[0], 2000))
    stuck, fed, long_fed, error = fill(writer, long_one, finished)
    assert str(path) in str(error)
    assert "free at least" in str(error)
    assert error.needed_bytes > 0
    check_whole(path, finished)
    stage = "begin" if stuck is None else "finish" if fed == len(SHORT) else "append"
    for sample in LONG[long_fed : long_fed + 5]:  # recording goes on in memory
        with suppress(DatasetFullError):
            long_one.append(sample)
    if stage == "finish":
        try:
            stuck.finish(True)
            finished.append(stuck.meta["seed"])
        except DatasetFullError:
            check_whole(path, finished)
    disk.free()
    if stuck is not None and stuck.is_open:
        for sample in SHORT[fed:]:
            stuck.append(sample)
        stuck.finish(True)
        finished.append(stuck.meta["seed"])
    for sample in LONG[long_fed + 5 :]:
        long_one.append(sample)
    long_one.finish(True)
    writer.close()
    check_whole(path, [*finished, 2000])
    assert Dataset(path).attributes["total"] == len(SHORT) * len(finished) + len(LONG)
    disk.clean()
    return stage


def run_crash_while_full(folder, mode, room):
    """The writer dies while the disk is full: what is finished and what was acknowledged is there afterwards."""
    path = folder / "box.hdf5"
    DatasetWriter.open(path, make_spec(), create=True).close()
    disk = SmallDisk(folder, mode, room)
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        finished = []
        writer = DatasetWriter.open(path, make_spec())
        _, fed, long_fed, _ = fill(writer, writer.begin(make_start(LONG[0], 2000)), finished)
        os.write(write_end, json.dumps([finished, fed, long_fed]).encode())
        os._exit(0)  # nothing is closed
    os.wait()
    finished, fed, long_fed = json.loads(os.read(read_end, 100_000))
    check_whole(path, finished)
    disk.free()
    with DatasetWriter.open(path, make_spec()) as writer:
        recovered = {info.seed: info.num_samples for info in writer.recovered}
    assert recovered[2000] in (long_fed - 1, long_fed)
    stuck = [count for seed, count in recovered.items() if seed != 2000]
    assert not stuck or stuck[0] in (fed - 1, fed)
    disk.clean()


def run_no_room_at_all(folder, mode):
    """A data set cannot even be made: a clear error and no half file."""
    disk = SmallDisk(folder, mode, 0)
    try:
        DatasetWriter.open(folder / "box.hdf5", make_spec(), create=True)
    except DatasetFullError:
        pass
    else:
        raise AssertionError("a full disk took a data set")
    assert not list(folder.glob("box.hdf5*"))
    disk.free()


def main():
    folder, mode, runs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    stages = [run(folder, mode, LIMIT_BYTES + 1777 * i) for i in range(runs)]
    for i in range(runs // 4):
        run_crash_while_full(folder, mode, LIMIT_BYTES + 5003 * i)
    run_no_room_at_all(folder, mode)
    print(json.dumps({"mode": mode, "runs": len(stages), "full_at": {s: stages.count(s) for s in set(stages)}}))


if __name__ == "__main__":
    main()
