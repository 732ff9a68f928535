"""Guards progress.py: a log file gets whole lines, few of them, and from one voice."""

import contextlib
import io
import sys

import pytest

from inference.engines.progress import Meter


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets: clock[0] seconds."""
    now = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


def run(clock, seconds, steps, **options):
    with Meter(desc="score", total=10 * steps, unit=" rows", **options) as meter:
        for step in range(steps):
            clock[0] += seconds
            meter.set_postfix_str(f"MAP@25 0.{step + 1}", refresh=False)
            meter.update(10)


def test_a_log_gets_a_line_each_half_minute_and_one_at_the_end(clock, capsys):
    run(clock, 20, 5)
    # lines are due at 30 s, seen to at 40 s, then at 70 s, seen to at 80 s, then at the end; half a row a second
    assert capsys.readouterr().err.splitlines() == [
        "score: 20/50,  0.50 rows/s, 00:40 so far, 01:00 left, MAP@25 0.2",
        "score: 40/50,  0.50 rows/s, 01:20 so far, 00:20 left, MAP@25 0.4",
        "score: 50/50,  0.50 rows/s, 01:40 so far, 00:00 left, MAP@25 0.5",
    ]


def test_a_loop_is_metered_as_with_tqdm(clock, capsys):
    for _ in Meter(range(4), desc="mine", unit=" parts"):
        clock[0] += 10
    assert capsys.readouterr().err.splitlines()[-1] == "mine: 4/4,  0.10 parts/s, 00:40 so far, 00:00 left"


def test_work_that_goes_on_counts_its_rate_from_where_it_began(clock, capsys):
    with Meter(desc="epoch 1/2", total=100, initial=60, unit=" updates") as meter:
        clock[0] += 40
        meter.update(20)
    assert capsys.readouterr().err.splitlines()[0] == "epoch 1/2: 80/100,  0.50 updates/s, 00:40 so far, 00:40 left"


def test_a_line_is_said_once_also_where_an_engine_asks_for_it_again(clock, capsys):
    with Meter(desc="encode", total=1) as meter:
        clock[0] += 40
        meter.update(1)
        meter.refresh()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_short_work_says_nothing(clock, capsys):
    run(clock, 0.1, 4)
    assert capsys.readouterr().err == ""


def test_work_inside_of_other_work_says_nothing(clock, capsys):
    with Meter(desc="outer", total=2) as outer:
        run(clock, 50, 3)
        outer.update(2)
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith("outer: 2/2") for line in lines)


def test_a_failure_is_said_with_how_far_it_came_and_the_next_work_is_shown_again(clock, capsys):
    with contextlib.suppress(KeyError), Meter(desc="score", total=40, unit=" rows") as meter:
        clock[0] += 10
        meter.update(10)
        raise KeyError
    assert capsys.readouterr().err == "score: 10/40,  1.00 rows/s, 00:10 so far, 00:30 left\n"
    run(clock, 20, 1)
    assert "score: 10/10" in capsys.readouterr().err


def test_a_terminal_gets_a_bar(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    run(clock, 20, 2)
    assert "score: 100%" in terminal.getvalue() and "MAP@25 0.2" in terminal.getvalue() and "\r" in terminal.getvalue()
