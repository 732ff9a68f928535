"""Reads the catalogue of a task that a file defines, and gives every entry its number."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from shared.task.csv_records import WHOLE, CompetitionError, Record, is_visible, shorten
from shared.task.files.definition import Definition
from shared.task.files.records import SEVERAL, read_rows
from shared.task.tables import FILE_MISCONCEPTIONS

MADE = 1 << 62  # the numbers that are made from letters begin here


@dataclass(frozen=True)
class Catalogue:
    """The table of the entries, and the number of each by the id that the files have for it."""

    table: pl.DataFrame
    numbers: dict[str, int]
    source: str  # the file that it comes from, for messages

    def number(self, record: Record, column: str, item: str) -> int:
        """The number of the entry `item`, which `column` of `record` names. Raises CompetitionError for none."""
        for name in (item, item.removesuffix(".0")):  # pandas writes whole numbers beside empty fields as 17.0
            if name in self.numbers:
                return self.numbers[name]
        near = get_close_matches(item, self.numbers, n=1, cutoff=0.8)
        hint = f"did you mean {shorten(near[0])}?" if near else "mend the id, or empty it where there is no label"
        raise record.defect(column, f"{shorten(item)} is not in {self.source}; {hint}")


def number_of(name: str) -> int:
    """The number of an id: itself where it is a whole number of up to 18 digits, else one made from its letters.

    It does not depend on the other ids, so that adding, moving and removing entries leaves it as it is. Numbers that
    are made are larger than all that are themselves.
    """
    if WHOLE.fullmatch(name):
        return int(name)
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2 | MADE


def read_catalogue(definition: Definition, folder: Path) -> Catalogue:
    """The catalogue of the files in `folder`, in the file's order, or, of labels, in that of their names."""
    again = "name the catalogue in the task's definition"
    if definition.catalogue.file:
        path = folder / definition.catalogue.file
        rows = [(name, text, record) for name, text, record in _read_file(definition, path, again)]
    else:
        path = folder / definition.queries.train
        rows = _read_labels(definition, path)
    numbers: dict[str, int] = {}
    lines: dict[int, int] = {}
    for name, _, record in rows:
        number = number_of(name)
        if number in lines:
            what = f"{shorten(name)} is also the id on line {lines[number]}; remove one of the two rows"
            raise record.defect(definition.catalogue.id or "label", what)
        if definition.submission.separator in name:
            what = f"{shorten(name)} holds {definition.submission.separator!r}, which stands between two ids"
            raise record.defect(definition.catalogue.id or "label", f"{what}; say another submission.separator")
        numbers[name], lines[number] = number, record.line
    table = pl.DataFrame(
        [(numbers[name], text, name) for name, text, _ in rows], schema=FILE_MISCONCEPTIONS.schema, orient="row"
    )
    return Catalogue(table, numbers, path.name)


def _read_file(definition: Definition, path: Path, again: str) -> Iterator[tuple[str, str, Record]]:
    section = definition.catalogue
    for record in read_rows(path, list(dict.fromkeys((*section.id.columns, *section.text.columns))), again):
        name, text = section.id.fill(record.fields), section.text.fill(record.fields)
        if not is_visible(name):
            raise record.defect(section.id, "the id is empty; fill it in or remove the row")
        if not is_visible(text) and not section.empty:
            raise record.defect(section.text, "the text is empty; fill it in or remove the row")
        yield name, text, record


def _read_labels(definition: Definition, path: Path) -> list[tuple[str, str, Record]]:
    """The labels of the training file, each once, in the order of their names."""
    found: dict[str, Record] = {}
    for record in read_rows(path, definition.labels.item.columns, "it holds the labels"):
        for name in label_names(definition, record):
            found.setdefault(name, record)
    if not found:
        raise CompetitionError(f"{path}: no row has a label; see labels.item in the definition")
    spaces = str.maketrans(dict.fromkeys(definition.catalogue.spaces, " "))
    return [(name, name.translate(spaces), found[name]) for name in sorted(found)]


def label_names(definition: Definition, record: Record) -> list[str]:
    """The ids of the right answers in a row of the training file, in their order."""
    label = definition.labels
    text = label.item.fill(record.fields)
    for mark in (SEVERAL, label.separator):
        text = text.replace(mark, SEVERAL) if mark else text
    return list(dict.fromkeys(name for part in text.split(SEVERAL) if (name := part.strip())))
