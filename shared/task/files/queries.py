"""Reads the queries of a task that a file defines, with their right answers, so many at a time."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from shared.task.csv_records import Record, is_visible, shorten
from shared.task.files.catalogue import number_of
from shared.task.files.definition import Definition, LabelOptions, Rows
from shared.task.files.labels import Answers
from shared.task.files.records import read_rows
from shared.task.files.templates import Template
from shared.task.tables import FILE_QUERIES

PARTS = ("id", "group", "text", "similar", "context")


def read_queries(
    definition: Definition, path: Path, fold: str, answers: Answers, at_once: int, *, cut: bool = False
) -> Iterator[pl.DataFrame]:
    """FILE_QUERIES of the rows of `path`, `at_once` rows at a time. Raises CompetitionError for a row that is wrong."""
    columns = (*query_columns(definition), *answers.columns)
    records = read_rows(path, list(dict.fromkeys(columns)), "the task's definition names it", cut=cut)
    lines: dict[str, int] = {}
    while part := list(itertools.islice(records, at_once)):
        rows = [row for record in part for row in _rows(definition, record, fold, answers)]
        for record, row in rows:
            if row[0] in lines:
                what = f"{shorten(row[0])} is also the id on line {lines[row[0]]}; remove one of the two rows"
                raise record.defect(definition.queries.id, what)
            lines[row[0]] = record.line
        yield pl.DataFrame([row for _, row in rows], schema=FILE_QUERIES.schema, orient="row")


def query_columns(definition: Definition) -> list[str]:
    """The columns of a file of queries that the queries are made from."""
    label, section = definition.labels, definition.queries
    if not isinstance(label, LabelOptions):
        return [column for part in PARTS for column in getattr(section, part).columns]
    pairs = [(option, right) for option in label.options for right in (label.options if label.right else ("",))]
    filled = [getattr(section, part).of(*pair) for pair in pairs for part in PARTS]
    return [*(column for template in filled for column in template.columns), *([label.right] if label.right else [])]


def _rows(definition: Definition, record: Record, fold: str, answers: Answers) -> Iterator[tuple[Record, tuple]]:
    label, section = definition.labels, definition.queries
    if not isinstance(label, LabelOptions):
        yield record, _row(section, record, "", fold, answers)
        return
    right = record.fields[label.right] if label.right else ""
    if label.right and right not in label.options:
        what = f"{shorten(right)} is none of {', '.join(label.options)}; name the option that is right"
        raise record.defect(label.right, what)
    for option in label.options:
        if option != right:
            parts = {part: getattr(section, part).of(option, right) for part in PARTS}
            yield record, _row(section.model_copy(update=parts), record, option, fold, answers)


def _row(section: Rows, record: Record, option: str, fold: str, answers: Answers) -> tuple:
    query_id = _text(record, section.id)
    text = _text(record, section.text)
    group = _text(record, section.group) if section.group else query_id
    similar = _text(record, section.similar) if section.similar else text
    right = answers.of(record, option, query_id)
    ids, grades = [number for number, _ in right], [grade for _, grade in right]
    context = section.context.fill(record.fields)
    return (query_id, number_of(group), similar, context, text, ids[0] if ids else None, ids, grades, fold)


def _text(record: Record, template: Template) -> str:
    text = template.fill(record.fields)
    if not is_visible(text):
        raise record.defect(", ".join(template.columns), "nothing is there to be seen; fill it in or remove the row")
    return text
