"""Guards inference/progress.py: a log file gets whole lines, few of them, and one voice."""

import contextlib
import io
import sys

import pytest

from inference import progress
from inference.progress import Meter


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets: clock[0] seconds."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def run(clock, seconds, steps, **how):
    with Meter("score", 10 * steps, "rows", **how) as shown:
        for step in range(steps):
            clock[0] += seconds
            shown.advance(10, f"MAP@25 0.{step + 1}")


def test_a_log_gets_a_line_each_half_minute_and_one_at_the_end(clock, capsys):
    run(clock, 20, 4)
    # after 40 s of 80 s: 20 of 40 rows, 0.5 a second, 40 s left; the next is due at 70 s and seen to at 80 s: the end
    assert capsys.readouterr().err.splitlines() == [
        "score: 20/40 rows, 0.5/s, 00:40 left, MAP@25 0.2",
        "score: 40/40 rows, 0.5/s, took 01:20, MAP@25 0.4",
    ]


def test_work_that_goes_on_counts_its_rate_from_where_it_began(clock, capsys):
    with Meter("epoch 1/2", 100, "updates", done=60) as shown:
        clock[0] += 40
        shown.advance(20)
    assert capsys.readouterr().err.splitlines()[0] == "epoch 1/2: 80/100 updates, 0.5/s, 00:40 left"


def test_short_work_says_nothing(clock, capsys):
    run(clock, 0.1, 4)
    assert capsys.readouterr().err == ""


def test_work_inside_of_other_work_says_nothing(clock, capsys):
    with Meter("outer", 2, "parts") as outer:
        run(clock, 50, 3)
        outer.advance(2)
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith("outer: 2/2 parts") for line in lines)


def test_a_failure_is_said_with_how_far_it_came_and_the_next_work_is_shown_again(clock, capsys):
    with contextlib.suppress(KeyError), Meter("score", 40, "rows") as shown:
        clock[0] += 10
        shown.advance(10)
        raise KeyError
    assert capsys.readouterr().err == "score: 10/40 rows, 1/s, 00:30 left\n"
    run(clock, 20, 1)
    assert "score: 10/10 rows" in capsys.readouterr().err


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "QUIET", 0)
    with Meter("score", 20, "rows") as shown:
        shown.advance(20, "MAP@25 0.5")
    assert "score: 100%" in terminal.getvalue() and "MAP@25 0.5" in terminal.getvalue()
