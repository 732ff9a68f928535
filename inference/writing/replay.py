"""Takes what a language model wrote earlier from a CSV file, as if it were written now, and writes such a file.

A file of rationales has the columns QuestionId_Answer, Rationale and Reasoning, one of explanations MisconceptionId and
Explanation, and either may have the column Writer, which says who wrote a row; such a row is taken to end where its
writer ended it. Rows that nobody asks for are passed over: one file may serve training and test.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from inference.writing.clean import clean
from shared.prompts.query import DESCRIPTION
from shared.task.csv_records import read_records, shorten
from shared.task.tables import TEXTS

RATIONALE_KEY, EXPLANATION_KEY = "QuestionId_Answer", "MisconceptionId"
WRITER = "Writer"  # the column that says who wrote a row's texts; without it, that is the file
COLUMNS = {"short": "Rationale", "cot": "Reasoning", DESCRIPTION: "Explanation"}  # of each kind of text


Texts = dict[str, dict[str, str]]  # {key: {kind: what was written}}, and under WRITER who wrote it, where that is said


def replay(path: Path, kinds: Iterable[str], folds: Mapping[str, str]) -> pl.DataFrame:
    """Table TEXTS with a row for each of `kinds` and of the keys of `folds` {key: fold}, in that order.

    A key that the file has not gets the empty text, and a line says how many there are. ValueError for a file that is
    not as the head of this module says, or holds none of the keys.
    """
    kinds = tuple(kinds)
    written = read_texts(path, kinds)
    missing = [key for key in folds if key not in written]
    if missing and len(missing) == len(folds):
        raise ValueError(f"{path} has no row for any key that is asked for, such as {missing[0]}: is it another's?")
    if missing:
        print(f"{path}: {len(missing)} of {len(folds)} have no text, {missing[0]} first; they do without", flush=True)
    return texts_of(written, path.name, kinds, folds)


def read_texts(path: Path, kinds: Sequence[str]) -> Texts:
    """What the file holds. Raises ValueError for one that is not as the head of this module says."""
    key_column, form = (EXPLANATION_KEY, (DESCRIPTION,)) if DESCRIPTION in kinds else (RATIONALE_KEY, ("short", "cot"))
    columns = {kind: COLUMNS[kind] for kind in form}
    again = f"it needs {key_column}, {', '.join(columns.values())}"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {again}")
    written: Texts = {}
    lines: dict[str, int] = {}
    for record in read_records(path, (key_column, *columns.values()), again, optional=(WRITER,)):
        key = record.text(key_column)
        if key in lines:
            raise record.defect(key_column, f"{shorten(key)} is also on line {lines[key]}; remove one of the two rows")
        lines[key] = record.line
        written[key] = {kind: record.fields[column] for kind, column in columns.items()}
        if writer := record.fields.get(WRITER, "").strip():
            written[key][WRITER] = writer
    return written


def texts_of(written: Texts, source: str, kinds: Sequence[str], folds: Mapping[str, str]) -> pl.DataFrame:
    """Table TEXTS as `replay` gives it, of what was read from the file `source`, which stands for who wrote."""
    rows = [_row(kind, key, fold, written.get(key, {}), source) for kind in kinds for key, fold in folds.items()]
    return pl.DataFrame(rows, schema=TEXTS.schema, orient="row")


def as_csv(texts: pl.DataFrame) -> str:
    """Rows of TEXTS, of rows or of misconceptions, as a file that `replay` reads: the cleaned texts, by key."""
    described = DESCRIPTION in set(texts["kind"])
    kinds = (DESCRIPTION,) if described else ("short", "cot")
    told: Texts = {}
    for kind, key, text, model in texts.select("kind", "key", "clean", "model").iter_rows():
        told.setdefault(key, {WRITER: model})[kind] = text
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow([EXPLANATION_KEY if described else RATIONALE_KEY, *(COLUMNS[kind] for kind in kinds), WRITER])
    rows.writerows([key, *(own.get(kind, "") for kind in kinds), own[WRITER]] for key, own in told.items())
    return file.getvalue()


def _row(kind: str, key: str, fold: str, texts: Mapping[str, str], source: str) -> tuple:
    raw, writer = texts.get(kind, ""), texts.get(WRITER, source)
    text, flags = clean(kind, raw, finished=WRITER in texts)
    nobody = ("", "", "")  # revision, and digests of the prompt and the sampling: the file does not say
    return (kind, key, raw, text, 0, "replayed", " ".join(flags), writer, *nobody, 0, False, "", fold, 0.0)
