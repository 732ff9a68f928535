"""Reads rows that are to be tagged, from CSV, JSON Lines or a request; a defect is one sentence with its place."""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from shared.prompts.query import FIELDS
from shared.task.csv_records import is_visible, read_records
from shared.task.tables import QUERIES

MOST_TEXT = 20_000  # characters of a field; a prompt is cut much earlier
NO_QUESTION = -1  # of a row that belongs to no question of the training: no example is kept from it
COLUMNS = tuple(column for _, column in FIELDS)
AGAIN = "write the file again"
Text = Annotated[str, Field(max_length=MOST_TEXT)]

with warnings.catch_warnings():  # a column may be called as a method of pydantic's that nothing here calls
    warnings.filterwarnings("ignore", message="Field name")
    Row = create_model(
        "Row",
        __config__=ConfigDict(frozen=True, extra="forbid", strict=True),
        __doc__="A row to tag: its fields, and an id that comes back with its tags.",
        id=(Annotated[str, Field(max_length=200)], ""),
        **dict.fromkeys(COLUMNS, (Text, ...)),
    )


def check_row(values: object, where: str) -> BaseModel:
    """The row of a mapping. Raises ValueError naming `where`, the field, and what is wrong with it."""
    try:
        row = Row.model_validate(values)
    except ValidationError as error:
        raise ValueError(f"{where}{sentence_of_row(error)}") from None
    check_texts(row, where)
    return row


def check_texts(row: BaseModel, where: str) -> None:
    """Raise ValueError for a field of `row` that shows nothing."""
    for column in COLUMNS:
        if not is_visible(getattr(row, column)):
            raise ValueError(f"{where}, field {column}: the text is empty; fill it in or leave the row out")


def sentence_of_row(error: ValidationError) -> str:
    """`, field question: Field required`, of the first thing that is wrong; what was typed is not repeated."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    known = (
        f" (the fields are {', '.join(('id', *COLUMNS))})" if first["type"] in ("extra_forbidden", "missing") else ""
    )
    return f"{f', field {place}' if place else ''}: {first['msg']}{known}"


def read_rows(path: Path) -> Iterator[BaseModel]:
    """The rows of a .csv or .jsonl file, one at a time. Raises ValueError at a defect."""
    if path.suffix.lower() == ".csv":
        yield from _read_csv(path)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _read_json_lines(path)
    else:
        raise ValueError(f"{path}: its name has to end in .csv or .jsonl, which says how it is read")


def as_queries(rows: Sequence[BaseModel]) -> pl.DataFrame:
    """The table QUERIES of `rows`, whose query_id is their place."""
    columns: Mapping[str, list] = {column: [getattr(row, column) for row in rows] for column in COLUMNS}
    frame = pl.DataFrame({"query_id": [str(place) for place in range(len(rows))], **columns})
    given = {"question_id": NO_QUESTION, "misconception_id": None, "fold": "test"}
    return frame.with_columns(
        pl.lit(given[name], kind).alias(name) if name in given else pl.lit("").alias(name)
        for name, kind in QUERIES.schema.items()
        if name not in frame.columns
    ).select(*QUERIES.schema)


def _read_csv(path: Path) -> Iterator[BaseModel]:
    has_id = (
        path.is_file()
        and path.open("rb").readline().lower().lstrip(b"\xef\xbb\xbf").split(b",")[0].strip(b'" \r\n') == b"id"
    )
    for record in read_records(path, (*(["id"] if has_id else []), *COLUMNS), AGAIN):
        yield check_row(record.fields, f"{path}, record from line {record.line}")


def _read_json_lines(path: Path) -> Iterator[BaseModel]:
    if not path.is_file():
        raise ValueError(f"{path} does not exist, or is no plain file: say where the rows are")
    number = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                raise ValueError(f"{path}, line {number} is no JSON: a line holds one object") from None
            yield check_row(values, f"{path}, line {number}")
    if not number:
        raise ValueError(f"{path} is empty: a line holds one row, as a JSON object")
