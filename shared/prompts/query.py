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

Rationale = Literal["none", "short", "cot", "both"]  # which rationales of a query a model reads
RATIONALES = {"none": (), "short": ("short",), "cot": ("cot",), "both": ("short", "cot")}  # their columns
DESCRIPTION = "description"  # the column of the misconceptions that holds what was written about them


@dataclass(frozen=True)
class Written:
    """A text, and the notes that a language model wrote about it; "" where it wrote none."""

    text: str
    notes: str = ""


def query_of(row: Mapping[str, object], rationale: Rationale = "none") -> Written:
    """A row of the queries table as a model reads it. A rationale that the row has not is left out."""
    notes = [str(row[kind]) for kind in RATIONALES[rationale] if row.get(kind)]
    return Written(row_text(row), "\n".join(notes))


def misconception_of(row: Mapping[str, object]) -> Written:
    """A row of the misconceptions table as a model reads it, with its description where it has one."""
    return Written(str(row["text"]), str(row.get(DESCRIPTION) or ""))


def row_text(row: Mapping[str, object]) -> str:
    """What a row of the queries table asks: a question and the wrong answer whose misconception is wanted.

    A task that a file defines has made the text of its own fields: its rows have it in one column.
    """
    if "text" in row:
        return str(row["text"])
    return "\n".join(f"{label}: {row[column]}" for label, column in FIELDS)
