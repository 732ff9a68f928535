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

WRONG = "wrong"  # the column of the answer whose misconception is wanted
UNCUT = (
    "correct"  # the column from which on nothing is cut of a text that is too long: the answers that are asked about
)
Layout = Literal["plain", "wrong_first", "wrong_marked"]  # how the fields stand in the text of a query
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


def query_of(row: Mapping[str, object], rationale: Rationale = "none", layout: Layout = "plain") -> Written:
    """A row of the queries table as a model reads it. A rationale that the row has not is left out."""
    return Written(row_text(row, layout), notes_of(row, rationale), _ending(row, layout))


def notes_of(row: Mapping[str, object], rationale: Rationale = "both") -> str:
    """The rationales of a row, in a fixed order; "" where it has none."""
    return "\n".join(str(row[kind]) for kind in RATIONALES[rationale] if row.get(kind))


def solved_query(text: str) -> Written:
    """A query's text, made by row_text, as an example shows it."""
    label = next(f"\n{label}: " for label, column in FIELDS if column == UNCUT)
    place = text.rfind(label)
    return Written(text, ending=text[place:] if place >= 0 else "")


def misconception_of(row: Mapping[str, object]) -> Written:
    """A row of the misconceptions table as a model reads it, with its description where it has one."""
    return Written(str(row["text"]), str(row.get(DESCRIPTION) or ""))


def row_text(row: Mapping[str, object], layout: Layout = "plain") -> str:
    """What a row of the queries table asks: a question and the wrong answer whose misconception is wanted.

    "wrong_first" puts the wrong answer in front of all else, where a text that is too long is not cut; "wrong_marked"
    puts marks around it where it stands. A task that a file defines has made the text of its own fields: its rows have
    it in one column, and no layout of it.
    """
    return "\n".join(line for _, line in _lines(row, layout))


def _ending(row: Mapping[str, object], layout: Layout) -> str:
    """The last lines of row_text, from UNCUT on."""
    lines = _lines(row, layout)
    columns = [column for column, _ in lines]
    if UNCUT not in columns:
        return ""
    first = columns.index(UNCUT)
    return "".join(f"\n{line}" for _, line in lines[first:])


def _lines(row: Mapping[str, object], layout: Layout) -> list[tuple[str, str]]:
    """(column, line of the text), in their order."""
    if "text" in row:
        return [("text", str(row["text"]))]
    fields = FIELDS
    if layout == "wrong_first":
        fields = sorted(FIELDS, key=lambda field: field[1] != WRONG)  # the others keep their order
    marks = (">>> ", " <<<") if layout == "wrong_marked" else ("", "")
    texts = {column: row[column] for _, column in fields}
    texts[WRONG] = f"{marks[0]}{texts[WRONG]}{marks[1]}"
    return [(column, f"{label}: {texts[column]}") for label, column in fields]
