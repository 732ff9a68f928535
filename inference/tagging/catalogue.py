"""A catalogue that people edit while it is searched: a value that an edit makes anew, and the file that keeps edits.

An edit is a line of JSON. It is on the disk before it counts, so that a killed process starts with all that it said yes
to; half a line at the end, of an edit that nobody was told of, is cut off.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.retrieval.descriptions import described
from shared.prompts.query import DESCRIPTION
from shared.task.csv_records import is_visible
from shared.task.files.catalogue import MADE, number_of

MOST_TEXT = 2000  # characters of an entry


class Edit(BaseModel):
    """One edit: an entry is added, gets another text, or is retired (it has no text then)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edit: Literal["add", "rename", "retire"]
    id: Annotated[int, Field(ge=0)]
    text: Annotated[str, Field(max_length=MOST_TEXT)] = ""
    item: Annotated[str, Field(max_length=MOST_TEXT)] = ""  # what the task's files call the entry, where that is no id

    @property
    def name(self) -> int | str:
        """What people call the entry."""
        return self.item or self.id


def edit_of(kind: Literal["add", "rename", "retire"], name: int | str, text: str = "") -> Edit:
    """The edit of the entry that people call `name`: a number, or in a catalogue of a task's own files, words."""
    if isinstance(name, int):
        return Edit(edit=kind, id=name, text=text)
    return Edit(edit=kind, id=number_of(name), text=text, item=name)


@dataclass(frozen=True)
class Catalogue:
    """Entries (the task's misconceptions), their unit vectors [N, D], the ids that were retired, those of new texts."""

    entries: pl.DataFrame
    vectors: np.ndarray
    retired: frozenset[int] = frozenset()
    changed: frozenset[int] = frozenset()

    @property
    def named(self) -> bool:
        """Whether people call the entries by what the task's files call them, instead of by their numbers."""
        return "item" in self.entries.columns

    @property
    def next_id(self) -> int:
        """A number that no entry has or had; those that are made from words do not count."""
        return max([-1, *(id_ for id_ in (*self.entries["misconception_id"], *self.retired) if id_ < MADE)]) + 1

    def has(self, id_: int) -> bool:
        return bool((self.entries["misconception_id"] == id_).any())


def check_edit(catalogue: Catalogue, edit: Edit) -> None:
    """Raise ValueError, in one sentence, for an edit that cannot be made."""
    if edit.edit == "add" and (catalogue.has(edit.id) or edit.id in catalogue.retired):
        raise ValueError(f"the catalogue has or had an entry {edit.name}: leave the id out, or take another one")
    if edit.edit != "add" and not catalogue.has(edit.id):
        was = "was retired" if edit.id in catalogue.retired else "is not there"
        raise ValueError(f"entry {edit.name} {was}, so it cannot be changed")
    if edit.edit != "retire" and not is_visible(edit.text):
        raise ValueError("the text of an entry is empty: say what it means")
    if edit.edit == "retire" and len(catalogue.entries) == 1:
        raise ValueError(f"entry {edit.name} is the only one left: add another one first")


def edited(catalogue: Catalogue, edit: Edit, encode: Callable[[pl.DataFrame], np.ndarray]) -> Catalogue:
    """The catalogue after an edit that `check_edit` let pass; `encode` gives the vectors of entries."""
    ids = catalogue.entries["misconception_id"]
    kept = (ids != edit.id).to_numpy()
    entries, vectors, retired = catalogue.entries.filter(kept), catalogue.vectors[kept], catalogue.retired
    if edit.edit == "retire":
        return Catalogue(entries, vectors, retired | {edit.id}, catalogue.changed)
    values = {"misconception_id": edit.id, "text": edit.text.strip(), "item": str(edit.name)}
    row = pl.DataFrame([[values[name] for name in entries.columns]], schema=entries.schema, orient="row")
    vector = encode(row)
    if not np.isfinite(vector).all():
        raise ValueError(f"the model has no vector for the text of entry {edit.name}: say it otherwise")
    entries, vectors = pl.concat([entries, row]), np.vstack([vectors, vector])
    return Catalogue(entries, vectors, retired, catalogue.changed | {edit.id})


def describe_entries(catalogue: Catalogue, folder: Path) -> pl.DataFrame:
    """The entries as the model in `folder` reads them; a description is of the text that it was written for."""
    entries = described(catalogue.entries, folder)
    if DESCRIPTION not in entries.columns or not catalogue.changed:
        return entries
    kept = ~pl.col("misconception_id").is_in(sorted(catalogue.changed))
    return entries.with_columns(pl.when(kept).then(DESCRIPTION).alias(DESCRIPTION))


def read_edits(path: Path) -> list[Edit]:
    """The edits in `path`, in their order; none where it does not exist. ValueError for a line that is no edit."""
    return list(_parse(path, _whole_lines(path))) if path.is_file() else []


class EditLog:
    """The file of edits, open for more of them. Opening it cuts off what a killed process left half written."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = _whole_lines(path) if path.is_file() else b""
        self.edits = list(_parse(path, lines))
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        os.ftruncate(self._file, len(lines))
        self._end = len(lines)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)  # the file's name too
        os.close(folder)

    def add(self, edit: Edit) -> None:
        """Return once the edit is on the disk. What the disk refuses leaves no half line."""
        line = (edit.model_dump_json(exclude=None if edit.item else {"item"}) + "\n").encode()
        try:
            if os.pwrite(self._file, line, self._end) != len(line):
                raise OSError(28, "No space left on device")
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end += len(line)
        self.edits.append(edit)

    def close(self) -> None:
        os.close(self._file)


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def _parse(path: Path, lines: bytes) -> Iterator[Edit]:
    for number, line in enumerate(lines.splitlines(), 1):
        try:
            yield Edit.model_validate(json.loads(line))
        except (ValueError, ValidationError):
            raise ValueError(f"{path}, line {number} is no edit of a catalogue: remove the line") from None
