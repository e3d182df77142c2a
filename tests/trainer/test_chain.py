"""The chain watched from a terminal: what is queued, how it is stopped, what is said at the end."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import trainer.queue.desk
from trainer.chain_watch import ChainError, ChainWatch
from trainer.jobs import finetune
from trainer.jobs.chain import CHAIN_PRESETS, ChainPreset, main
from trainer.jobs.chain import Config as ChainConfig
from trainer.jobs.evaluate import Config
from trainer.queue.chain import JOBS, add_chain, go_on_or_queue, queued_chain, whole_chain
from trainer.queue.desk import QueueDesk
from trainer.queue.entry import EntryState, QueueError
from trainer.runs import Run, list_runs


@pytest.fixture
def desk(tmp_path: Path) -> QueueDesk:
    return QueueDesk(tmp_path / "runs", ensure_runner=lambda store: None)


def filled(desk: QueueDesk) -> list[int]:
    return [entry.id for entry in add_chain(desk, whole_chain("quick", Path("d.hdf5")))]


@pytest.mark.parametrize("preset", CHAIN_PRESETS)
def test_that_both_evaluations_of_a_chain_measure_the_same_episodes(preset: ChainPreset) -> None:
    before, after = (config for job, config in whole_chain(preset, Path("d.hdf5")) if job == "evaluate")
    assert replace(before, checkpoint=after.checkpoint) == after


def test_that_the_standard_chain_tunes_as_long_as_the_paper_from_as_few_demonstrations_as_the_quick_one() -> None:
    configs = {preset: dict(whole_chain(preset, Path("d.hdf5"))) for preset in CHAIN_PRESETS}
    assert configs["standard"]["collect"] == configs["quick"]["collect"]
    assert configs["standard"]["pretrain"] == configs["quick"]["pretrain"]
    assert configs["standard"]["finetune"].iterations == finetune.PRESETS["paper"].iterations
    assert configs["standard"]["evaluate"].episodes >= 500


def become(desk: QueueDesk, number: int, state: EntryState, **more) -> None:
    desk.store.write(replace(desk.store.get(number), state=state, **more))


def watched(
    desk: QueueDesk, numbers: list[int], steps, stop_at: int | None = None, run: Run | None = None
) -> tuple[bool, str, ChainWatch]:
    """Watch while `steps` happen one after the other; returns the verdict, the output and the watch."""
    out = io.StringIO()
    watch = ChainWatch(desk, numbers, run, Console(file=out, width=160))
    left, looks = list(steps), []

    def sleep(seconds: float) -> None:
        del seconds
        looks.append(1)
        if left:
            left.pop(0)()

    well = watch.watch(lambda: stop_at is not None and len(looks) >= stop_at, sleep, lambda: 10.0 * len(looks))
    watch.tell_end()
    return well, out.getvalue(), watch


def evaluation(desk: QueueDesk, rate: float, time_s: float) -> str:
    run = Run.create(desk.store.root, "evaluate", Config(), 0)
    run.event("evaluation", success_rate=rate, ci95=[rate - 0.1, rate + 0.1])
    (run.path / "evaluation.json").write_text(json.dumps({"task_time_s": time_s}))
    run.status("finished")
    run.close()
    return str(run.path)


def test_that_the_chain_is_queued_in_order_and_found_again_until_it_has_ended(desk):
    assert queued_chain(desk.store.entries()) == []
    numbers = filled(desk)

    assert [desk.store.get(number).job for number in numbers] == list(JOBS)
    assert queued_chain(desk.store.entries()) == numbers
    for number in numbers:
        become(desk, number, "finished")
    assert queued_chain(desk.store.entries()) == []


def test_that_a_chain_that_went_well_ends_with_its_table(desk):
    numbers = filled(desk)
    steps = [lambda n=n: become(desk, n, "running") for n in numbers]
    steps += [lambda n=n: become(desk, n, "finished") for n in numbers[:4] if desk.store.get(n).job != "evaluate"]
    before, after = evaluation(desk, 0.6, 14.0), evaluation(desk, 0.95, 11.5)
    steps += [lambda: become(desk, numbers[2], "finished", run=before)]
    steps += [lambda: become(desk, numbers[4], "finished", run=after, started_s=10.0, ended_s=75.0)]

    well, said, _ = watched(desk, numbers, steps)

    assert well
    assert "[1/5] collect" in said
    for words in ("success 60 %", "success 95 %", "14.0 s", "11.5 s", "1:05 min"):
        assert words in said
    assert "go on with" not in said


def test_that_a_failure_is_told_with_the_last_words_of_the_job_and_a_remedy(desk):
    numbers = filled(desk)
    log = desk.store.log_path(numbers[0])
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("all was well\nthe disk is full\n")
    steps = [lambda: become(desk, numbers[0], "failed", message="exit status 1")]
    steps += [lambda n=n: become(desk, n, "skipped", message="#1 collect failed") for n in numbers[1:]]

    well, said, _ = watched(desk, numbers, steps)

    assert not well
    assert "the disk is full" in said
    assert f"refine-dp queue resume {numbers[0]}" in said


def test_that_a_stop_stops_the_job_at_work_and_the_next_call_goes_on_with_it(desk):
    numbers = filled(desk)

    well, said, _ = watched(desk, numbers, [], stop_at=2)

    assert not well
    assert [desk.store.get(number).state for number in numbers] == ["stopped"] + ["waiting"] * 4
    assert f"refine-dp queue resume {numbers[0]}" in said
    assert said.count("queue resume") == 1
    again, words = go_on_or_queue(desk, "quick", Path("d.hdf5"))
    assert again == numbers
    assert "going on with it from #1" in words
    assert desk.store.get(numbers[0]).state == "waiting"


@pytest.mark.parametrize(
    ("preset", "dataset", "named"),
    [
        ("standard", "d.hdf5", "episodes of #3 evaluate is 100"),
        ("quick", "e.hdf5", "dataset of #1 collect is 'd.hdf5'"),
    ],
)
def test_that_a_chain_that_has_not_ended_is_not_taken_for_another(desk, preset, dataset, named):
    filled(desk)
    with pytest.raises(QueueError, match=named):
        go_on_or_queue(desk, preset, Path(dataset))
    with pytest.raises(QueueError, match="give another folder with --runs"):
        main(ChainConfig(preset, Path(dataset), desk.store.root))
    assert list_runs(desk.store.root) == []


def test_that_a_job_that_ends_is_told_once_and_the_run_folder_knows_how_far_it_is(desk):
    numbers = filled(desk)
    run = Run.create(desk.store.root, "chain", ChainConfig(), 0)
    steps = [lambda: become(desk, numbers[0], "finished"), lambda: None, lambda: become(desk, numbers[1], "failed")]
    steps += [lambda n=n: become(desk, n, "skipped") for n in numbers[2:]]

    _, said, watch = watched(desk, numbers, steps, run=run)

    run.close()
    lines = said.split("what was measured")[0].splitlines()
    assert sum("#1 collect   finished" in line for line in lines) == 1
    shares = [event["done"] for event in run.events() if event["kind"] == "progress"]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(set(shares))
    (told,) = (event["jobs"] for event in run.events() if event["kind"] == "chain")
    assert [job["state"] for job in told] == ["finished", "failed", "skipped", "skipped", "skipped"]
    with pytest.raises(ChainError, match="#2 pretrain failed"):
        watch.work(lambda: False)


def test_that_the_job_has_the_frame_of_all_jobs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ChainWatch, "watch", lambda self, stop: False)
    monkeypatch.setattr(trainer.queue.desk, "ensure_runner", lambda store: None)
    monkeypatch.setattr(QueueDesk, "wake", lambda self: None)
    assert main(ChainConfig(runs=tmp_path / "runs")) == 1
    (run,) = list_runs(tmp_path / "runs")
    assert run.info().job == "chain"
    assert run.read_status().state == "failed"
    assert "#1 collect waiting" in run.read_status().message
    assert "the quick chain is queued" in capsys.readouterr().out
    assert main(ChainConfig(runs=tmp_path / "runs")) == 1
    assert "has a chain that has not ended: watching it" in capsys.readouterr().out
    assert len(QueueDesk(tmp_path / "runs").store.entries()) == 5
