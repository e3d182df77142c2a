from trainer.headless import Narrator, run_headless
from trainer.jobs.run import Config
from trainer.session.messages import EpisodeFinished, SessionError


def test_that_the_headless_loop_runs_and_stops_when_told(capsys):
    calls = iter(range(1000))
    status = run_headless(Config(backend="fake", pace="fast"), lambda: next(calls) > 60)
    said = capsys.readouterr().out
    assert status == 130
    assert "0.0 s  approach" in said
    assert "control periods" in said


def test_that_episodes_are_told_with_the_success_rate_and_its_interval():
    lines: list[str] = []
    narrator = Narrator(lines.append)
    narrator.hear(EpisodeFinished(0, 5, True, "success", 12.34, False))
    narrator.hear(EpisodeFinished(1, 6, False, "reset", 1.0, False))
    assert lines[0] == "episode 0 (seed 5): success after 12.3 s;   success 100.0 % [20.7, 100.0] (n = 1)"
    assert "(n = 1)" in lines[1]  # an abandoned episode is no trial


def test_that_an_error_ends_it_with_status_1_and_its_remedy(capsys):
    assert run_headless(Config(task="juggle", backend="fake"), lambda: False) == 1
    assert "task 'juggle' does not exist; known: box_pickup (change the settings)" in capsys.readouterr().out
    narrator = Narrator(lambda text: None)
    narrator.hear(SessionError("x"))
    assert narrator.broken
