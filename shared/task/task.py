"""Says what a task is: which files it has, how they become tables, what is measured, and what is handed in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Competition:
    """The tables of a task's folder, in the files' order.

    `train` (None where it was not asked for) and `test` have schema QUERIES, a row for each query; the catalogue has
    schema MISCONCEPTIONS.
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

    `of_ranks` gives the figures [...] from ranks [..., T] (inf where a right answer is absent), the number of right
    answers [...], and the depth; shared/task/average_precision.py has one.
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
        return self.key.upper()


@dataclass(frozen=True)
class SubmissionForm:
    """What is handed in: a CSV file with a row for each query of the test, its id and its best candidates' ids.

    These stand in one field, the best first, with a space between two of them.
    """

    file: str
    columns: tuple[str, str]  # of the query's id, and of the candidates' ids
    depth: int  # most candidates of a query


@dataclass(frozen=True)
class Task:
    """What the rest of the code asks of a task."""

    slug: str  # of the Kaggle competition
    files: Files
    submission: SubmissionForm
    metric: Metric
    read: Read
    # folder -> (file, rows, what may be known of it or "") of every file; ValueError at a defect
    check: Callable[[Path], list[tuple[str, int, str]]]
    read_misconceptions: Callable[[Path], pl.DataFrame]  # folder -> the table MISCONCEPTIONS
    stream_test: Callable[[Path, int], Iterator[pl.DataFrame]]  # folder -> `test`, so many questions at a time
    # rows of the training file, every field a string -> these rows as the test file has them, and their labels in the
    # submission's columns
    as_test: Callable[[pl.DataFrame], tuple[pl.DataFrame, pl.DataFrame]]
