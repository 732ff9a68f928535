"""Writes a number with its noun as one says it: 1 stage, 2 stages."""

IRREGULAR = {"query": "queries", "entry": "entries", "process": "processes"}


def count(number: int, noun: str) -> str:
    """`1 row`, `1,024 rows`, `0 queries`; of several words the last one takes the plural: `2 wrong answers`."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """`rows` of `row`, `finished stages` of `finished stage`."""
    before, space, last = noun.rpartition(" ")
    return f"{before}{space}{IRREGULAR.get(last, last + 's')}"
