from pathlib import Path

import pytest

from core.policy.live_config import PlannerStats
from trainer.headless import Narrator, describe_planner, run_headless
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
    missing = Config(source="policy", checkpoint=Path("missing.safetensors"), backend="fake")
    assert run_headless(missing, lambda: False) == 1
    assert "error: cannot set up the session: no checkpoint at missing.safetensors; give a" in capsys.readouterr().out
    narrator = Narrator(lambda text: None)
    narrator.hear(SessionError("x"))
    assert narrator.broken


@pytest.mark.parametrize("settings", [{"source": "policy"}, {"checkpoint": Path("x.safetensors")}])
def test_that_the_policy_and_its_checkpoint_belong_together(settings):
    with pytest.raises(ValueError, match="belong together"):
        Config(**settings)


def test_that_the_planners_latency_is_told_at_the_end():
    stats = PlannerStats(chunks=12, latency_p50_ms=14.4, latency_p99_ms=22.1, late=1, held=2)
    assert describe_planner(stats).startswith("planner: 12 chunks, p50 14 ms, p99 22 ms; 1 late, 2 commands held")
