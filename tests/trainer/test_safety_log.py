"""Safety logs: written by several processes, read back in words, shown on the command line."""

import json
from pathlib import Path

import pytest

from core.robot.agent.log import SafetyLog
from trainer import cli
from trainer.safety_log import logs, new_log, read_log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = new_log(tmp_path / "robot")
    for who, event, details in (
        ("session", "limits", {"preset": "hardware", "speed_m_s": 0.2}),
        ("agent", "state", {"state": "upper_body", "detail": ""}),
        ("session", "intervention", {"kinds": ["speed"], "changed": {"base_velocity_x_m_s": [0.4, 0.2]}}),
        ("session", "intervention", {"kinds": ["not_finite"], "changed": {"left_hand_pos_x_m": [None, 0.2]}}),
        ("dead-man", "deadman", {"reason": "the window is silent"}),
        ("agent", "stop_confirmed", {"ms": 3.25, "mode": 0}),
    ):
        log = SafetyLog(str(path), who)
        log.add(event, **details)
        log.close()
    return path


def test_that_lines_of_all_processes_are_read_in_words(path: Path) -> None:
    log = read_log(path)

    assert [entry.who for entry in log.entries] == ["session", "agent", "session", "session", "dead-man", "agent"]
    words = [entry.words for entry in log.entries]
    assert words[0] == "preset hardware, speed m s 0.2"
    assert words[2] == "speed: base_velocity_x_m_s 0.4 → 0.2"
    assert "not a number → 0.2" in words[3]
    assert words[5] == "by the robot, 3.2 ms after the press"
    assert [entry.alarming for entry in log.entries] == [False, False, False, False, True, False]


def test_that_a_line_that_a_power_cut_broke_is_counted(path: Path) -> None:
    whole = path.read_text()
    path.write_text(whole + '{"time_s": 1.0, "wall')

    log = read_log(path)

    assert (len(log.entries), log.broken) == (6, 1)


def test_that_old_lines_without_a_writer_are_read(tmp_path: Path) -> None:
    path = tmp_path / "safety-1.jsonl"
    path.write_text(json.dumps({"time_s": 2.0, "wall_s": 3.0, "event": "stop", "reason": "test"}) + "\n")
    (entry,) = read_log(path).entries
    assert (entry.who, entry.words) == ("agent", "reason test")


def test_that_the_newest_log_is_shown_on_the_command_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(path.parent)
    assert cli.main(["safety-log", "--folder", folder]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{path}: 6 entries")
    assert "the window is silent" in out

    assert cli.main(["safety-log", "--folder", folder, "--alarms"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2

    assert cli.main(["safety-log", "--folder", folder, "--list"]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    assert logs(path.parent) == (path,)


def test_that_a_folder_without_logs_says_where_they_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["safety-log", "--folder", str(tmp_path)]) == 1
    assert "each session with a robot writes one" in capsys.readouterr().out
