"""Reads the right answers of a task that a file defines: from its training file or from a file of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.task.csv_records import Record, shorten
from shared.task.files.catalogue import Catalogue, label_names
from shared.task.files.definition import Definition, LabelColumn, LabelFile, LabelOptions
from shared.task.files.records import read_rows

Right = list[tuple[int, int]]  # (entry, grade) of a query, the highest grade first


def _nothing(record: Record, option: str, query_id: str) -> Right:
    return []


@dataclass(frozen=True)
class Answers:
    """What is right for a query: `of` gives it from the query's row, its option ("" where there are none), its id."""

    of: Callable[[Record, str, str], Right] = _nothing
    columns: tuple[str, ...] = ()  # of the query's file, that `of` reads
    lines: dict[str, Record] = field(default_factory=dict)  # where a file of labels first names a query

    def check_used(self, queries: set[str]) -> None:
        """Raise CompetitionError for a query that has labels and is not there."""
        for query_id, record in self.lines.items():
            if query_id not in queries:
                raise record.defect("query", f"{shorten(query_id)} is no query of the training file; remove the row")


def read_answers(definition: Definition, folder: Path, catalogue: Catalogue) -> Answers:
    """The right answers of the training queries. Raises CompetitionError for an entry that the catalogue lacks."""
    label = definition.labels
    if isinstance(label, LabelFile):
        return _read_file(label, folder / label.file, catalogue)
    if isinstance(label, LabelColumn):

        def of_row(record: Record, option: str, query_id: str) -> Right:
            return [(catalogue.number(record, label.item, name), 1) for name in label_names(definition, record)]

        return Answers(of_row, tuple(label.item.columns))
    return Answers(lambda record, option, _: _of_option(label, record, option, catalogue), _option_columns(label))


def _option_columns(label: LabelOptions) -> tuple[str, ...]:
    return tuple(column for option in label.options for column in label.item.of(option, "").columns)


def _of_option(label: LabelOptions, record: Record, option: str, catalogue: Catalogue) -> Right:
    item = label.item.of(option, "")
    name = item.fill(record.fields)
    return [(catalogue.number(record, item, name), 1)] if name else []


def _read_file(label: LabelFile, path: Path, catalogue: Catalogue) -> Answers:
    found: dict[str, dict[int, int]] = {}
    lines: dict[str, Record] = {}
    columns: Sequence[str] = [label.query, label.item, *([label.grade] if label.grade else [])]
    for record in read_rows(path, columns, "it holds the labels"):
        query_id, name = record.fields[label.query].strip(), record.fields[label.item].strip()
        lines.setdefault(query_id, record)
        own, number = found.setdefault(query_id, {}), catalogue.number(record, label.item, name)
        if number in own:
            raise record.defect(label.item, f"{shorten(name)} is named twice for {shorten(query_id)}; leave one row")
        own[number] = _grade(record, label)
    right = {
        query_id: sorted(
            ((number, grade) for number, grade in own.items() if grade >= label.least), key=lambda p: -p[1]
        )
        for query_id, own in found.items()
    }
    return Answers(lambda record, option, query_id: right.get(query_id, []), lines=lines)


def _grade(record: Record, label: LabelFile) -> int:
    if not label.grade:
        return 1
    text = record.fields[label.grade].strip()
    try:
        value = float(text)
        if value.is_integer() and abs(value) < 1_000_000:
            return int(value)
    except ValueError:
        pass
    raise record.defect(label.grade, f"{shorten(text)} is no grade; write a whole number, 0 for what is not right")
