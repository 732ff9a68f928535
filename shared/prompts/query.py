"""Makes the text of a query from the fields of its row; every model and every baseline reads this text."""

from collections.abc import Mapping

FIELDS = (  # (label, column of the queries table), in the order of the text; a further field is one more entry
    ("Subject", "subject"),
    ("Construct", "construct"),
    ("Question", "question"),
    ("Correct answer", "correct"),
    ("Wrong answer", "wrong"),
)


def row_text(row: Mapping[str, object]) -> str:
    """What a row of the queries table asks: a question and the wrong answer whose misconception is wanted."""
    return "\n".join(f"{label}: {row[column]}" for label, column in FIELDS)
