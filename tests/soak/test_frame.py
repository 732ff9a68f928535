"""Guards the frame of the soak: every case is tried, a killed soak goes on, and what is wrong is counted."""

import json
from itertools import islice

from tests.soak.frame import Case, read_ledger, rounds, soak, table


def case(kind, name, seen, problem=None, **more):
    def check(seed):
        seen.append((name, seed))
        return problem

    return Case(kind, name, check, **more)


def test_kinds_take_turns_and_seeded_cases_come_again_with_the_next_seed():
    cases = [case("a", "a1", []), case("a", "a2", [], seeded=False), case("b", "b1", [])]
    first = [(one.name, seed) for one, seed in islice(rounds(cases, 5), 7)]
    assert first == [("a1", 5), ("b1", 5), ("a2", 5), ("a1", 6), ("b1", 6), ("a1", 7), ("b1", 7)]
    assert [one.name for one, _ in rounds(cases[1:2], 0)] == ["a2"]  # nothing is left to try


def test_a_killed_soak_goes_on_and_a_torn_line_is_tried_again(tmp_path):
    ledger, seen = tmp_path / "ledger.jsonl", []
    cases = [case("a", name, seen, seeded=False) for name in ("one", "two", "three")]
    soak(cases[:2], ledger, seconds=60)
    ledger.write_bytes(ledger.read_bytes()[:-3])
    tried = soak(cases, ledger, seconds=60)
    assert [name for name, _ in seen] == ["one", "two", "two", "three"]
    assert tried == read_ledger(ledger) and len(tried) == 3


def test_time_that_was_spent_before_a_kill_counts(tmp_path):
    ledger, seen = tmp_path / "ledger.jsonl", []
    line = {"kind": "a", "name": "zero", "seed": 0, "seconds": 61.0, "problem": None}
    ledger.write_text(json.dumps(line) + "\n", encoding="utf-8")
    soak([case("a", "one", seen)], ledger, seconds=60)
    assert not seen


def test_what_is_wrong_and_what_raises_is_counted(tmp_path, capsys):
    def fail(seed):
        raise RuntimeError("no way")

    cases = [
        case("good", "one", [], seeded=False),
        case("bad", "two", [], "it is lost", seeded=False),
        Case("bad", "three", fail, seeded=False),
    ]
    tried = soak(cases, tmp_path / "ledger.jsonl", seconds=60)
    assert [one.problem for one in tried] == [None, "it is lost", "RuntimeError: no way"]
    rows = [line.split()[:3] for line in table(tried).splitlines()]
    assert rows == [["kind", "tried", "wrong"], ["good", "1", "0"], ["bad", "2", "2"], ["all", "3", "2"]]
