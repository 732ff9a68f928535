"""Says what a task is: which files it has, how they become tables, what is measured, and what is handed in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from shared.task.splits import UNSEEN
from shared.task.tables import MISCONCEPTIONS, QUERIES, RANKS, Table

SAMPLE_LABELS = "labels.csv"  # of the sample that a kernel rehearses on


@dataclass(frozen=True)
class Competition:
    """The tables of a task's folder, in the files' order.

    `train` (None where it was not asked for) and `test` have the task's table of queries, a row for each query; the
    catalogue has its table of misconceptions.
    """

    train: pl.DataFrame | None
    test: pl.DataFrame
    misconceptions: pl.DataFrame


class Read(Protocol):
    """Reads a folder; without `need_train` the training file is neither opened nor missed. ValueError at a defect."""

    def __call__(self, folder: Path, *, need_train: bool = True) -> Competition: ...


@dataclass(frozen=True)
class Files:
    """The names of the files in a competition's folder."""

    train: str
    test: str
    misconceptions: str
    sample_submission: str


@dataclass(frozen=True)
class Metric:
    """What is measured: the mean over the queries of a figure made from the ranks of a query's right answers.

    `of_ranks` gives the figures [...] from ranks [..., T] (inf where a right answer is absent), the grades of those
    right answers [..., T] (0 fills up a query that has fewer), and the depth; shared/task/rank_figures.py has four.
    """

    name: str
    depth: int  # ranks below it count nothing
    of_ranks: Callable[[np.ndarray, np.ndarray, int], np.ndarray]

    @property
    def key(self) -> str:
        """As tables of figures call it: "map@25"."""
        return f"{self.name}@{self.depth}"

    @property
    def recall_key(self) -> str:
        """As tables of figures call the recall at the same depth: "recall@25"."""
        return f"recall@{self.depth}"

    @property
    def title(self) -> str:
        """As sentences call it: "MAP@25"."""
        return self.key.upper().replace("NDCG", "nDCG").replace("RECALL", "Recall")


@dataclass(frozen=True)
class SubmissionForm:
    """What is handed in: a CSV file with a row for each query of the test, its id and its best candidates' ids.

    These stand in one field, the best first, with the separator between two of them.
    """

    file: str
    columns: tuple[str, str]  # of the query's id, and of the candidates' ids
    depth: int  # most candidates of a query
    separator: str = " "


@dataclass(frozen=True)
class Tables:
    """The tables that a task's fields give a form of their own."""

    queries: Table = QUERIES
    misconceptions: Table = MISCONCEPTIONS
    ranks: Table = RANKS


@dataclass(frozen=True)
class RowForm:
    """A query as a person gives it to be tagged: the fields of a row, and what the table of queries gets of them."""

    fields: tuple[str, ...]
    # fields -> columns of the table of queries; ValueError, "field NAME: what is wrong", where nothing is to be seen
    fill: Callable[[Mapping[str, str]], dict[str, str]]
    shown: Mapping[str, str]  # such columns of the table, as an example that a model card shows
    # file -> (line, fields and perhaps an "id") of each query in it; None: CSV or JSON Lines of these fields alone
    read: Callable[[Path], Iterator[tuple[int, dict[str, str]]]] | None = None


@dataclass(frozen=True)
class Task:
    """What the rest of the code asks of a task."""

    slug: str  # of the Kaggle competition, "" without one
    files: Files
    submission: SubmissionForm
    metric: Metric
    read: Read
    # folder -> (file, rows, what may be known of it or "") of every file; ValueError at a defect
    check: Callable[[Path], list[tuple[str, int, str]]]
    read_misconceptions: Callable[[Path], pl.DataFrame]  # folder -> the table of misconceptions
    stream_test: Callable[[Path, int], Iterator[pl.DataFrame]]  # folder -> `test`, so many questions at a time
    # folder of the competition, an empty folder, how many -> a small competition with training rows as its test, drawn
    # by the seed of that name, and labels.csv, their right answers in the submission's columns
    write_sample: Callable[[Path, Path, int, str], None]
    row_form: RowForm
    name: str = "eedi"
    rows: str = "wrong options"  # what messages call the queries of a file
    entries: str = "misconceptions"  # and those of the catalogue
    inputs: tuple[str, ...] = ()  # every file that decides the tables
    tables: Tables = Tables()
    unseen: float | None = UNSEEN  # weight of unseen pairs in the headline; None: all count alike
    holds_out: str = "misconceptions"  # what the splits cv, cv2, ... hold out: these, or "questions"
    # settings {section: {key: value}} in place of the usual defaults
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reads: Mapping[str, Any] = field(default_factory=dict)  # what of its definition decides prepare; {} if it is code

    @property
    def entry(self) -> str:
        """What messages call one of `entries`."""
        return {"entries": "entry"}.get(self.entries, self.entries.removesuffix("s"))
