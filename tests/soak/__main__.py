"""Tries for some minutes what may go wrong, and prints a table: python -m tests.soak [minutes=60] [seed=0] [kind=NAME].

It goes on where it was killed. The exit status is 1 where anything was wrong, and 2 for what a person got wrong.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from shared.settings.arguments import read_arguments
from shared.settings.command_line import exit_status
from tests.soak.cases import all_cases
from tests.soak.frame import soak, table

LEDGER, LAST = Path(".soak/ledger.jsonl"), Path(".soak/last.jsonl")


def main(typed: Sequence[str]) -> int:
    said = read_arguments(typed, ["minutes", "seed", "kind"], flags=[], overrides=False).options
    minutes, seed, kind = said.get("minutes", "60"), said.get("seed", "0"), said.get("kind", "")
    for name, text in {"minutes": minutes, "seed": seed}.items():
        if not text.isdecimal():
            raise ValueError(f"{name}={text}: say a whole number")
    with all_cases(Path(".soak").resolve()) as every:
        cases = [case for case in every if case.kind.startswith(kind)]
        if not cases:
            kinds = ", ".join(dict.fromkeys(case.kind for case in every))
            raise ValueError(f"kind={kind}: there are {kinds}")
        tried = soak(cases, LEDGER, seconds=60 * int(minutes), seed=int(seed))
    LEDGER.replace(LAST)  # the next soak begins anew
    print(table(tried))
    return int(any(one.problem for one in tried))


if __name__ == "__main__":
    sys.exit(exit_status(lambda: main(sys.argv[1:]), "error", 2))
