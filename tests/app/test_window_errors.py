"""Errors: a dialog with cause and remedy, details folded; exceptions that nobody caught are told and logged."""

import logging
import sys
import threading
import time

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from app.errors import ProblemDialog, UncaughtErrors
from app.problems import Problem
from app.workers.background import Background

PROBLEM = Problem("It did not work", "the disk is full", "free 2 GB", "Traceback: …")


def test_that_an_error_in_the_projects_form_splits_into_cause_and_remedy() -> None:
    problem = Problem.from_error("Cannot open", ValueError("no such file 'x'; choose another"))
    assert (problem.cause, problem.remedy) == ("no such file 'x'", "choose another")
    assert Problem.from_error("Cannot open", KeyError()).cause == "KeyError"


def test_that_details_are_folded_and_everything_can_be_copied(qtbot: QtBot) -> None:
    dialog = ProblemDialog(PROBLEM)
    qtbot.addWidget(dialog)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    dialog.show()
    assert not dialog.isModal()
    assert not dialog.details.isVisible()
    qtbot.mouseClick(dialog._fold, Qt.MouseButton.LeftButton)
    assert dialog.details.isVisible()
    qtbot.mouseClick(dialog._copy, Qt.MouseButton.LeftButton)
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    for part in (PROBLEM.title, PROBLEM.cause, PROBLEM.remedy, PROBLEM.details):
        assert part in clipboard.text()


def test_that_an_uncaught_exception_is_told_and_logged(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    errors = UncaughtErrors()
    told: list[Problem] = []
    errors.problem_raised.connect(told.append)
    errors.install()
    try:
        with caplog.at_level(logging.ERROR, logger="refine_dp.window"):
            error = ZeroDivisionError("oops")
            sys.excepthook(ZeroDivisionError, error, None)
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
            qtbot.waitUntil(lambda: len(told) == 2)
    finally:
        errors.uninstall()
    assert told[0].cause == "ZeroDivisionError: oops"
    assert "division by zero" in told[1].details
    assert "uncaught exception" in caplog.text


def test_that_background_work_runs_elsewhere_in_order_and_reports_here(qtbot: QtBot) -> None:
    background = Background("test")
    results: list[object] = []
    for i in range(3):
        background.submit("work", lambda i=i: (i, threading.current_thread().name), results.append)
    qtbot.waitUntil(lambda: len(results) == 3)
    assert results == [(0, "test"), (1, "test"), (2, "test")]
    assert not background.busy
    background.close()
    background.close()


def test_that_failing_work_becomes_a_problem_and_the_next_work_runs(qtbot: QtBot) -> None:
    background = Background("test")
    problems: list[Problem] = []
    always: list[int] = []
    background.failed.connect(problems.append)
    background.submit("Reading failed", lambda: 1 / 0, lambda _: always.append(-1), lambda: always.append(1))
    done: list[int] = []
    background.submit("work", lambda: 7, done.append)
    qtbot.waitUntil(lambda: done == [7])
    assert problems[0].title == "Reading failed"
    assert "ZeroDivisionError" in problems[0].details
    assert always == [1]
    background.close()


def test_that_nothing_is_delivered_after_the_end_when_the_widgets_may_be_gone(qtbot: QtBot) -> None:
    background, done = Background("test"), list[int]()
    background.submit("work", lambda: 7, done.append)
    background.close()  # the thread has ended, its result waits in the queue of events
    qtbot.wait(50)
    assert done == []


def test_that_a_stopped_background_ends_within_two_seconds(qtbot: QtBot) -> None:
    background = Background("test")
    began = time.monotonic()
    background.close()
    assert time.monotonic() - began < 2.0
    assert not background._thread.is_alive()
