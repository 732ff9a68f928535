"""Reads rows that are to be tagged, from CSV, JSON Lines or a request; a defect is one sentence with its place."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from shared.task.csv_records import read_records
from shared.task.current import TASK

MOST_TEXT = 20_000  # characters of a field; a prompt is cut much earlier
NO_QUESTION = -1  # of a row that belongs to no question of the training: no example is kept from it
AGAIN = "write the file again"
ENDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
Text = Annotated[str, Field(max_length=MOST_TEXT)]


def row_model() -> type[BaseModel]:
    """The form of a row of the current task: its fields, and an id that comes back with its tags."""
    return _model(TASK.row_form.fields)


@cache
def _model(fields: tuple[str, ...]) -> type[BaseModel]:
    own = {} if "id" in fields else {"id": (Annotated[str, Field(max_length=200)], "")}
    for number, column in enumerate(fields):  # a column may be called as nothing of Python's or pydantic's may
        name = "id" if column == "id" else f"field_{number}"
        own[name] = (Text, Field(alias=column))
    return create_model(
        "Row",
        __config__=ConfigDict(frozen=True, extra="forbid", strict=True),
        __doc__="A row to tag: its fields, and an id that comes back with its tags.",
        **own,
    )


def fields_of(row: BaseModel) -> dict[str, str]:
    """The fields of a row by the names that people give them."""
    return row.model_dump(by_alias=True, exclude_unset=True)


def check_row(values: object, where: str) -> BaseModel:
    """The row of a mapping. Raises ValueError naming `where`, the field, and what is wrong with it."""
    try:
        row = row_model().model_validate(values)
    except ValidationError as error:
        raise ValueError(f"{where}{sentence_of_row(error)}") from None
    check_texts(row, where)
    return row


def check_texts(row: BaseModel, where: str) -> None:
    """Raise ValueError for a row of which a model would see nothing."""
    try:
        TASK.row_form.fill(fields_of(row))
    except ValueError as error:
        raise ValueError(f"{where}, {error}") from None


def sentence_of_row(error: ValidationError) -> str:
    """`, field question: Field required`, of the first thing that is wrong; what was typed is not repeated."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    known = (
        f" (the fields are {', '.join(dict.fromkeys(('id', *TASK.row_form.fields)))})"
        if first["type"] in ("extra_forbidden", "missing")
        else ""
    )
    return f"{f', field {place}' if place else ''}: {first['msg']}{known}"


def read_rows(path: Path) -> Iterator[BaseModel]:
    """The rows of a file, one at a time: .csv or .jsonl, and .tsv or .parquet for a task that a file defines.

    Raises ValueError at a defect.
    """
    end, form = path.suffix.lower(), TASK.row_form
    if end not in ENDS or (form.read is None and end in (".tsv", ".parquet")):
        raise ValueError(f"{path}: its name has to end in .csv or .jsonl, which says how it is read")
    if form.read is not None:
        for line, fields in form.read(path):
            yield check_row(fields, f"{path}, record from line {line}")
    elif end == ".csv":
        yield from _read_csv(path)
    else:
        yield from _read_json_lines(path)


def as_queries(rows: Sequence[BaseModel]) -> pl.DataFrame:
    """The current task's table of queries of `rows`, whose query_id is their place."""
    table, form = TASK.tables.queries, TASK.row_form
    given = {"question_id": NO_QUESTION, "misconception_id": None, "fold": "test", "right": [], "grades": []}
    none = {name: given.get(name, "") for name in table.schema}
    lines = [{**none, **form.fill(fields_of(row)), "query_id": str(place)} for place, row in enumerate(rows)]
    return pl.DataFrame(lines, schema=table.schema, orient="row")


def _read_csv(path: Path) -> Iterator[BaseModel]:
    has_id = (
        path.is_file()
        and path.open("rb").readline().lower().lstrip(b"\xef\xbb\xbf").split(b",")[0].strip(b'" \r\n') == b"id"
    )
    for record in read_records(path, (*(["id"] if has_id else []), *TASK.row_form.fields), AGAIN):
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
