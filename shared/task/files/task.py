"""Makes a Task of a definition: reads its files into the tables, strictly; a defect is one sentence with its place."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import polars as pl

from shared.task.csv_records import CompetitionError
from shared.task.files.asked import row_form
from shared.task.files.catalogue import Catalogue, read_catalogue
from shared.task.files.definition import Definition, LabelFile, LabelOptions
from shared.task.files.labels import Answers, read_answers
from shared.task.files.queries import read_queries
from shared.task.files.records import read_rows
from shared.task.files.sample import write_sample
from shared.task.rank_figures import FIGURES
from shared.task.tables import FILE_MISCONCEPTIONS, FILE_QUERIES, FILE_RANKS
from shared.task.task import Competition, Files, Metric, SubmissionForm, Tables, Task

AT_ONCE = 5000  # rows of the training file that are read together


def task_of(name: str, definition: Definition) -> Task:
    """The task that `definition` says, under that name."""
    measure, form, queries = definition.metric, definition.submission, definition.queries
    catalogue = definition.catalogue.file or queries.train
    return Task(
        slug=definition.slug,
        files=Files(queries.train, definition.test, catalogue, ""),
        submission=SubmissionForm(form.file, form.columns, form.k, form.separator),
        metric=Metric(measure.name, measure.k, FIGURES[measure.name]),
        read=partial(read_files, definition),
        check=partial(_check, definition),
        read_misconceptions=lambda folder: read_catalogue(definition, Path(folder)).table,
        stream_test=partial(_stream_test, definition),
        write_sample=partial(write_sample, definition),
        row_form=row_form(definition),
        name=name,
        rows="queries",
        entries="entries",
        inputs=definition.inputs,
        tables=Tables(FILE_QUERIES, FILE_MISCONCEPTIONS, FILE_RANKS),
        unseen=measure.unseen,
        holds_out={"items": "misconceptions", "groups": "questions"}[measure.hold_out],
        defaults=_defaults(definition),
        reads=_reads(definition),
    )


def read_files(definition: Definition, folder: Path, *, need_train: bool = True) -> Competition:
    """The tables of `folder`, in the files' order. Raises CompetitionError, a ValueError of one line."""
    folder = Path(folder)
    catalogue = read_catalogue(definition, folder)
    train = _read_train(definition, folder, catalogue) if need_train else None
    test = pl.concat(_stream_test(definition, folder, AT_ONCE, cut=False))
    return Competition(train, test, catalogue.table)


def _read_train(definition: Definition, folder: Path, catalogue: Catalogue) -> pl.DataFrame:
    answers = read_answers(definition, folder, catalogue)
    table = pl.concat(read_queries(definition, folder / definition.queries.train, "train", answers, AT_ONCE))
    answers.check_used(set(table["query_id"]))
    if table["misconception_id"].null_count() == len(table):
        raise CompetitionError(f"{folder / definition.queries.train}: no row has a label; see labels in the definition")
    return table


def _stream_test(definition: Definition, folder: Path, queries: int, *, cut: bool = True) -> Iterator[pl.DataFrame]:
    """The test rows, so many at a time; a text that is too long is cut, for nobody can mend a hidden test."""
    yield from read_queries(definition, Path(folder) / definition.test, "test", Answers(), queries, cut=cut)


def _check(definition: Definition, folder: Path) -> list[tuple[str, int, str]]:
    """(file, rows, "") of every file of the definition. Raises CompetitionError at a defect."""
    folder = Path(folder)
    read_files(definition, folder)
    columns: Callable[[str], list[str]] = partial(_one_column, definition)
    return [(name, sum(1 for _ in read_rows(folder / name, columns(name), "")), "") for name in definition.inputs]


def _one_column(definition: Definition, name: str) -> list[str]:
    """A column that the file of that name must have, by which its rows are counted."""
    if name == definition.catalogue.file:
        return definition.catalogue.id.columns[:1]
    if isinstance(definition.labels, LabelFile) and name == definition.labels.file:
        return [definition.labels.query]
    options = definition.labels.options if isinstance(definition.labels, LabelOptions) else ("",)
    return definition.queries.id.of(options[0], options[0]).columns[:1]


def _defaults(definition: Definition) -> Mapping[str, Mapping[str, object]]:
    """Settings that a task has a better default for than the competition's."""
    return {
        **({"prepare": {"competition": definition.folder}} if definition.folder else {}),
        **({"embedder": {"task": definition.words.task}} if definition.words.task else {}),
        "reranker": {"instruction": definition.words.asked},
        "evaluate": {"unseen_weight": definition.metric.unseen},
    }


def _reads(definition: Definition) -> dict[str, object]:
    """What of the definition decides the tables and their folds."""
    said = definition.model_dump(mode="json", include={"queries", "catalogue", "labels"})
    return {**said, "hold_out": definition.metric.hold_out}
