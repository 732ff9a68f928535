"""Makes queries of rows that a person gives to be tagged: the columns that the text of a query is made from."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

from shared.task.csv_records import CompetitionError, is_visible
from shared.task.files.definition import Definition, LabelOptions
from shared.task.files.records import read_rows
from shared.task.task import RowForm

OPTION = "option"  # the field that says which option is asked about, where a row has several
AGAIN = "the text of a query is made from it"


def row_form(definition: Definition) -> RowForm:
    """The form of a row to tag. Where a row of the task's files has several options, it says which one is meant."""
    fields = _columns(definition, definition.queries.text)
    if isinstance(definition.labels, LabelOptions):
        right = [definition.labels.right] if definition.labels.right else []
        fields = list(dict.fromkeys([*fields, *right, OPTION]))
    shown = {"text": str(definition.queries.text)}
    return RowForm(tuple(fields), partial(_fill, definition), shown, partial(_read, definition))


def _columns(definition: Definition, template) -> list[str]:
    """The columns of a template, of all options."""
    label = definition.labels
    options = label.options if isinstance(label, LabelOptions) else ("",)
    return list(dict.fromkeys(chain.from_iterable(template.of(option, option).columns for option in options)))


def _fill(definition: Definition, fields: Mapping[str, str]) -> dict[str, str]:
    label, option, right = definition.labels, "", ""
    if isinstance(label, LabelOptions):
        option, right = fields[OPTION], fields[label.right] if label.right else ""
        if label.right and right not in label.options:
            raise ValueError(f"field {label.right}: name the option that is right, of {', '.join(label.options)}")
        asked = [one for one in label.options if one != right]
        if option not in asked:
            raise ValueError(f"field {OPTION}: name the option that is asked about, of {', '.join(asked)}")
    template = definition.queries.text.of(option, right)
    text = template.fill(fields)
    if not is_visible(text):
        raise ValueError(f"field {', '.join(template.columns)}: the text is empty; fill it in or leave the row out")
    return {"text": text}


def _read(definition: Definition, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a file, which may have further columns, and an id as the task's own files or the column id have it.

    Without a column that says the option, a row is a query for each option that is not right, and an id of the column
    id ends in the option.
    """
    fields, label = row_form(definition).fields, definition.labels
    told = isinstance(label, LabelOptions) and not _has(path, [OPTION])
    needed = [name for name in fields if not (told and name == OPTION)]
    named = [*_columns(definition, definition.queries.id)]
    ids = next((columns for columns in (named, ["id"]) if _has(path, columns)), [])
    for record in read_rows(path, list(dict.fromkeys([*needed, *ids])), AGAIN):
        right = record.fields[label.right] if isinstance(label, LabelOptions) and label.right else ""
        for option in [one for one in label.options if one != right] if told else [record.fields.get(OPTION, "")]:
            row = {name: record.fields[name] for name in needed} | ({OPTION: option} if OPTION in fields else {})
            template = definition.queries.id.of(option, right) if ids == named else None
            plain = record.fields.get("id", "")
            named_so = template.fill(record.fields) if template else f"{plain}_{option}" if told and plain else plain
            yield record.line, {"id": named_so, **row} if ids else row


def _has(path: Path, columns: list[str]) -> bool:
    """Whether the file has these columns, as far as its first row shows it."""
    try:
        next(read_rows(path, columns, AGAIN))
    except CompetitionError:
        return False
    return True
