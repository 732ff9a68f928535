"""Tries cases one after the other until the time is up, notes each in a ledger, and counts what went wrong.

A case is tried with a seed; the first round tries every case with the first seed, the second with the next one. What
stands in the ledger is not tried again: a soak that was killed goes on where it was.
"""

import json
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, count, zip_longest
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """Something that may go wrong; `check`, given a seed, tries it and says in a sentence what was wrong, or None.

    `kind` is its line in the table. A check that raises is wrong, too. It has to come to an end by itself.
    """

    kind: str
    name: str
    check: Callable[[int], str | None]
    seeded: bool = True  # else the seed changes nothing, and once is enough


@dataclass(frozen=True)
class Tried:
    """A line of the ledger."""

    kind: str
    name: str
    seed: int
    seconds: float
    problem: str | None


def soak(cases: Sequence[Case], ledger: Path, *, seconds: float, seed: int = 0) -> list[Tried]:
    """Try the cases, kind by kind in turn, until those of the ledger have taken `seconds`; all that was tried."""
    tried = read_ledger(ledger)
    done, spent = {(one.kind, one.name, one.seed) for one in tried}, sum(one.seconds for one in tried)
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with ledger.open("a", encoding="utf-8") as file:
        for case, number in rounds(cases, seed):
            if spent >= seconds:
                break
            if (case.kind, case.name, number) in done:
                continue
            one = _try(case, number)
            file.write(json.dumps(asdict(one)) + "\n")
            file.flush()
            if one.problem:
                print(f"wrong  {one.kind}  {one.name}  seed {one.seed}: {one.problem}", flush=True)
            tried.append(one)
            spent += one.seconds
    return tried


def rounds(cases: Sequence[Case], seed: int) -> Iterator[tuple[Case, int]]:
    """(case, seed), without end where a case is seeded; the kinds take turns, so that each gets its share."""
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.kind, []).append(case)
    in_turn = [case for row in zip_longest(*kinds.values()) for case in row if case is not None]
    again = [case for case in in_turn if case.seeded]
    yield from ((case, seed) for case in in_turn)
    if again:
        yield from chain.from_iterable(((case, number) for case in again) for number in count(seed + 1))


def read_ledger(path: Path) -> list[Tried]:
    """What was tried; a line that a kill tore is tried again, and cut off so that the next one begins a new line."""
    if not path.is_file():
        return []
    whole = path.read_bytes()
    whole = whole[: whole.rfind(b"\n") + 1]
    with path.open("r+b") as file:
        file.truncate(len(whole))
    return [Tried(**json.loads(line)) for line in whole.splitlines()]


def table(tried: Sequence[Tried]) -> str:
    """A line for every kind: how often it was tried, how often it was wrong, and how long it took."""
    lines = [f"{'kind':<28} {'tried':>6} {'wrong':>6} {'seconds':>8}"]
    for kind in dict.fromkeys(one.kind for one in tried):
        mine = [one for one in tried if one.kind == kind]
        wrong, spent = sum(one.problem is not None for one in mine), sum(one.seconds for one in mine)
        lines.append(f"{kind:<28} {len(mine):>6} {wrong:>6} {spent:>8.0f}")
    wrong, spent = sum(one.problem is not None for one in tried), sum(one.seconds for one in tried)
    return "\n".join([*lines, f"{'all':<28} {len(tried):>6} {wrong:>6} {spent:>8.0f}"])


def _try(case: Case, seed: int) -> Tried:
    began = time.monotonic()
    try:
        problem = case.check(seed)
    except Exception as error:
        traceback.print_exc()
        problem = f"{type(error).__name__}: {error}"
    return Tried(case.kind, case.name, seed, round(time.monotonic() - began, 2), problem)
