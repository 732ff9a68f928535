"""Makes the text of a query from the fields of its row, with what a language model wrote about it beside it.

Every model and every baseline reads this text; which of the rationales it reads as well is a setting of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FIELDS = (  # (label, column of the queries table), in the order of the text; a further field is one more entry
    ("Subject", "subject"),
    ("Construct", "construct"),
    ("Question", "question"),
    ("Correct answer", "correct"),
    ("Wrong answer", "wrong"),
)

UNCUT = (
    "correct"  # the column from which on nothing is cut of a text that is too long: the answers that are asked about
)

Rationale = Literal["none", "short", "cot", "both"]  # which rationales of a query a model reads
RATIONALES = {"none": (), "short": ("short",), "cot": ("cot",), "both": ("short", "cot")}  # their columns
DESCRIPTION = "description"  # the column of the misconceptions that holds what was written about them


@dataclass(frozen=True)
class Written:
    """A text, and the notes that a language model wrote about it; "" where it wrote none.

    Of a text that is too long its `ending` stays, and what stands before that is cut.
    """

    text: str
    notes: str = ""
    ending: str = ""


def query_of(row: Mapping[str, object], rationale: Rationale = "none") -> Written:
    """A row of the queries table as a model reads it. A rationale that the row has not is left out."""
    notes = [str(row[kind]) for kind in RATIONALES[rationale] if row.get(kind)]
    return Written(row_text(row), "\n".join(notes), _ending(row))


def solved_query(text: str) -> Written:
    """A query's text, made by row_text, as an example shows it."""
    label = next(f"\n{label}: " for label, column in FIELDS if column == UNCUT)
    place = text.rfind(label)
    return Written(text, ending=text[place:] if place >= 0 else "")


def misconception_of(row: Mapping[str, object]) -> Written:
    """A row of the misconceptions table as a model reads it, with its description where it has one."""
    return Written(str(row["text"]), str(row.get(DESCRIPTION) or ""))


def row_text(row: Mapping[str, object]) -> str:
    """What a row of the queries table asks: a question and the wrong answer whose misconception is wanted."""
    return "\n".join(_lines(row))


def _lines(row: Mapping[str, object]) -> list[str]:
    return [f"{label}: {row[column]}" for label, column in FIELDS]


def _ending(row: Mapping[str, object]) -> str:
    first = [column for _, column in FIELDS].index(UNCUT)
    return "".join(f"\n{line}" for line in _lines(row)[first:])
