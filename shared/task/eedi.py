"""Says what the Eedi competition is, and reads its CSV files; a defect is refused with its place and the way out."""

import itertools
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from shared.prompts.query import FIELDS
from shared.task.csv_records import Record, is_visible, read_records, shorten
from shared.task.folds import seed_of
from shared.task.rank_figures import average_precision
from shared.task.tables import MISCONCEPTIONS, QUERIES
from shared.task.task import SAMPLE_LABELS, Competition, Files, Metric, RowForm, SubmissionForm, Task

SLUG = "eedi-mining-misconceptions-in-mathematics"
FILES = Files("train.csv", "test.csv", "misconception_mapping.csv", "sample_submission.csv")
METRIC = Metric("map", 25, average_precision)
SUBMISSION = SubmissionForm("submission.csv", ("QuestionId_Answer", "MisconceptionId"), depth=25)  # ids of a row
OPTIONS = ("A", "B", "C", "D")
QUESTION_COLUMNS = (
    *("QuestionId", "ConstructId", "ConstructName", "SubjectId", "SubjectName", "CorrectAnswer", "QuestionText"),
    *(f"Answer{option}Text" for option in OPTIONS),
)
LABEL_COLUMNS = tuple(f"Misconception{option}Id" for option in OPTIONS)
MISCONCEPTION_COLUMNS = ("MisconceptionId", "MisconceptionName")
QUESTIONS = 1000  # read together: a record in Python takes ten times its text


def read_competition(folder: Path, *, need_train: bool = True) -> Competition:
    """The tables of `folder`, in the files' order; without `need_train`, train.csv is neither opened nor missed.

    A query is a wrong option. Texts lose the white space around them and nothing else. Raises CompetitionError, a
    ValueError of one line.
    """
    folder = Path(folder)
    misconceptions = _read_misconceptions(folder)
    known = set(misconceptions["misconception_id"])
    train = _read_queries(folder / FILES.train, "train", known) if need_train else None
    return Competition(train, _read_queries(folder / FILES.test, "test", known), misconceptions)


def check_competition(folder: Path) -> list[tuple[str, int, str]]:
    """(file, rows, note) of the competition's four files, a row being a question. Raises CompetitionError at a defect.

    Nothing reads sample_submission.csv but this: that it is of another test is a note and no defect.
    """
    folder = Path(folder)
    competition = read_competition(folder)
    assert competition.train is not None  # need_train is the default
    rows, note = _check_submission(folder / FILES.sample_submission, competition.test["query_id"].to_list())
    return [
        (FILES.train, competition.train["question_id"].n_unique(), ""),
        (FILES.test, competition.test["question_id"].n_unique(), ""),
        (FILES.misconceptions, competition.misconceptions.height, ""),
        (FILES.sample_submission, rows, note),
    ]


def read_misconceptions(folder: Path) -> pl.DataFrame:
    """The table MISCONCEPTIONS of `folder`, in the file's order; a name that is too long is cut as in `stream_test`."""
    return _read_misconceptions(Path(folder), cut=True)


def stream_test(folder: Path, questions: int) -> Iterator[pl.DataFrame]:
    """The test rows of `read_competition`, so many questions at a time: memory does not grow with the file.

    A text that is too long is cut, and a line says so: nobody can mend a hidden test, and a prompt is cut anyway.
    """
    yield from _stream_queries(Path(folder) / FILES.test, "test", set(), questions, cut=True)


def write_sample(competition: Path, folder: Path, count: int, seed: str) -> None:
    """Fill `folder` with `count` training questions as its test, and labels.csv, their labels."""
    table = pl.read_csv(competition / FILES.train, infer_schema=False)
    drawn = table[sorted(random.Random(seed_of(seed)).sample(range(len(table)), min(count, len(table))))]
    shutil.copyfile(competition / FILES.misconceptions, folder / FILES.misconceptions)
    test, labels = _as_test(drawn)
    test.write_csv(folder / FILES.test)
    labels.write_csv(folder / SAMPLE_LABELS)


def _as_test(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`rows` of train.csv, every field a string, without their labels; and these in the columns of a submission."""
    labels = [
        (f"{row['QuestionId']}_{option}", row[column].removesuffix(".0"))
        for row in rows.iter_rows(named=True)
        for option, column in zip(OPTIONS, LABEL_COLUMNS, strict=True)
        if row[column]
    ]
    return rows.drop(LABEL_COLUMNS), pl.DataFrame(labels, schema=list(SUBMISSION.columns), orient="row")


def _read_misconceptions(folder: Path, *, cut: bool = False) -> pl.DataFrame:
    records = list(_read_records(folder / FILES.misconceptions, MISCONCEPTION_COLUMNS, cut))
    ids = _unique_ids(records, "MisconceptionId")
    texts = [record.text("MisconceptionName") for record in records]  # may repeat: 2068 and 2142 have the same words
    return pl.DataFrame({"misconception_id": ids, "text": texts}, schema=MISCONCEPTIONS.schema)


def _read_queries(path: Path, fold: str, known: set[int]) -> pl.DataFrame:
    return pl.concat(_stream_queries(path, fold, known, QUESTIONS))


def _stream_queries(
    path: Path, fold: str, known: set[int], questions: int, *, cut: bool = False
) -> Iterator[pl.DataFrame]:
    columns = QUESTION_COLUMNS + (LABEL_COLUMNS if fold == "train" else ())
    records, seen = _read_records(path, columns, cut), np.zeros(0, np.int64)
    while part := list(itertools.islice(records, questions)):
        ids = _unique_ids(part, "QuestionId")
        seen = _add_ids(seen, np.array(ids), part, columns)
        rows = [row for record, number in zip(part, ids, strict=True) for row in _queries(record, number, fold, known)]
        yield pl.DataFrame(rows, schema=QUERIES.schema, orient="row")


def _read_records(path: Path, columns: tuple[str, ...], cut: bool = False) -> Iterator[Record]:
    again = f"run `kaggle competitions download {SLUG}` and unzip {path.name} there"
    return read_records(path, columns, again, cut=cut)


def _add_ids(seen: np.ndarray, ids: np.ndarray, part: list[Record], columns: tuple[str, ...]) -> np.ndarray:
    """The sorted ids of all questions so far: 8 bytes each, where a table of their lines would take a hundred."""
    places = np.searchsorted(seen, ids)
    again = np.flatnonzero(np.append(seen, -1)[places] == ids)
    if len(again):
        record, number = part[again[0]], int(ids[again[0]])
        line = next(old.line for old in _read_records(record.path, columns) if old.id("QuestionId") == number)
        raise record.defect("QuestionId", f"{number} is also the id on line {line}; remove one of the two rows")
    order = np.argsort(ids)
    return np.insert(seen, places[order], ids[order])


def _unique_ids(records: Iterable[Record], column: str) -> list[int]:
    lines = {}
    for record in records:
        number = record.id(column)
        if number in lines:
            raise record.defect(column, f"{number} is also the id on line {lines[number]}; remove one of the two rows")
        lines[number] = record.line
    return list(lines)


def _queries(record: Record, question_id: int, fold: str, known: set[int]) -> Iterator[tuple]:
    for column in ("ConstructId", "SubjectId"):  # nobody uses them, but they show a row whose fields have shifted
        record.id(column)
    shared = [record.text(column) for column in ("ConstructName", "SubjectName", "QuestionText")]
    answers = {option: record.text(f"Answer{option}Text") for option in OPTIONS}
    correct = record.fields["CorrectAnswer"]
    if correct not in answers:
        raise record.defect("CorrectAnswer", f"{shorten(correct)} is not a letter from A to D; name the correct option")
    labels = _labels(record, correct, known) if fold == "train" else {}
    for option in OPTIONS:
        if option != correct:  # its text may still be the correct one's: one real question has such an option
            texts = (*shared, answers[correct], answers[option])
            yield (f"{question_id}_{option}", question_id, *texts, labels.get(option), fold)


def _labels(record: Record, correct: str, known: set[int]) -> dict[str, int]:
    labels = {}
    for option, column in zip(OPTIONS, LABEL_COLUMNS, strict=True):
        if not (value := record.fields[column]):
            continue
        labels[option] = record.id(column, point_zero=True)  # pandas wrote them beside empty ones, hence as 1672.0
        if option == correct:
            raise record.defect(column, f"{shorten(value)} labels the correct option; empty it or mend CorrectAnswer")
        if labels[option] not in known:
            what = f"misconception {shorten(value)} is not in {FILES.misconceptions}"
            raise record.defect(column, f"{what}; mend the id, or empty it where there is no label")
    return labels


def _check_submission(path: Path, query_ids: list[str]) -> tuple[int, str]:
    """The number of rows, and a note where its keys are not those of the test. Its misconceptions are placeholders."""
    column, lines = SUBMISSION.columns[0], {}
    for record in _read_records(path, SUBMISSION.columns):
        key = record.fields[column]
        if key in lines:
            raise record.defect(column, f"{shorten(key)} is also on line {lines[key]}; remove one of the two rows")
        lines[key] = record.line
    odd, missing = sorted(lines.keys() - set(query_ids)), [name for name in query_ids if name not in lines]
    if not (odd or missing):
        return len(lines), ""
    first = f"it has {shorten(odd[0])}, which is" if odd else f"it lacks {shorten(missing[0])},"
    what = f"no wrong option of {FILES.test}" if odd else f"a wrong option of {FILES.test}"
    return len(lines), f"a sample of another test: {first} {what}; nothing else reads it"


def _fill(fields: Mapping[str, str]) -> dict[str, str]:
    """The columns of a row to tag: its fields, each of which has to show something."""
    for column in ROW_FORM.fields:
        if not is_visible(fields[column]):
            raise ValueError(f"field {column}: the text is empty; fill it in or leave the row out")
    return {column: fields[column] for column in ROW_FORM.fields}


ROW_FORM = RowForm(tuple(column for _, column in FIELDS), _fill, {column: "..." for _, column in FIELDS})
EEDI = Task(
    SLUG,
    FILES,
    SUBMISSION,
    METRIC,
    read=read_competition,
    check=check_competition,
    read_misconceptions=read_misconceptions,
    stream_test=stream_test,
    write_sample=write_sample,
    row_form=ROW_FORM,
    inputs=(FILES.train, FILES.test, FILES.misconceptions),
)
