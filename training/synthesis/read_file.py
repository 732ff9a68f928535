"""Reads questions that were written earlier from a CSV file, as if they were written now.

Its columns are those of train.csv without the ids of question, construct and subject. The letters that the file gives
are forgotten: which option is right and which is labelled is all that is taken from them.
"""

from collections import Counter
from pathlib import Path

from shared.task.csv_records import Record, is_visible, read_records
from shared.task.eedi import LABEL_COLUMNS, OPTIONS
from training.synthesis.question import Question, Unusable

TEXT_COLUMNS = ("SubjectName", "ConstructName", "QuestionText")
COLUMNS = (*TEXT_COLUMNS, "CorrectAnswer", *(f"Answer{option}Text" for option in OPTIONS), *LABEL_COLUMNS)


def read_questions(path: Path, known: set[int]) -> tuple[list[Question], list[Unusable]]:
    """The questions of the file, in its order, and the rows that are none: no right option, not one label, no text.

    Raises ValueError for a file that is not as the head of this module says, or names a misconception that is not
    `known`.
    """
    again = f"it needs {', '.join(COLUMNS)}"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {again}")
    numbers: Counter[int] = Counter()
    questions: list[Question] = []
    unusable: list[Unusable] = []
    for record in read_records(path, COLUMNS, again):
        labels = _labels(record, known)
        if reason := _why_unusable(record, labels):
            unusable.append(Unusable(f"line {record.line}", reason))
            continue
        [(letter, id_)] = labels.items()
        questions.append(_question(record, letter, id_, f"{id_}/{numbers[id_]}"))
        numbers[id_] += 1
    return questions, unusable


def _labels(record: Record, known: set[int]) -> dict[str, int]:
    labels = {
        option: record.id(column, point_zero=True)
        for option, column in zip(OPTIONS, LABEL_COLUMNS, strict=True)
        if record.fields[column]
    }
    for option, id_ in labels.items():
        if id_ not in known:
            raise record.defect(
                f"Misconception{option}Id", f"{id_} is no misconception of the catalogue: mend it or remove the row"
            )
    return labels


def _why_unusable(record: Record, labels: dict[str, int]) -> str:
    """Why the row is no question; "" where it is one."""
    if record.fields["CorrectAnswer"] not in OPTIONS:
        return "no_right_option"
    if len(labels) != 1:
        return "not_one_label"
    if record.fields["CorrectAnswer"] in labels:
        return "label_on_right"
    texts = (*TEXT_COLUMNS, *(f"Answer{option}Text" for option in OPTIONS))
    return "" if all(is_visible(record.fields[column].strip()) for column in texts) else "empty"


def _question(record: Record, letter: str, id_: int, name: str) -> Question:
    correct = record.fields["CorrectAnswer"]
    texts = {option: record.text(f"Answer{option}Text") for option in OPTIONS}
    others = tuple(texts[option] for option in OPTIONS if option not in (correct, letter))
    return Question(name, id_, *(record.text(column) for column in TEXT_COLUMNS), texts[correct], texts[letter], others)
