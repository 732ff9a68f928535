"""Shows how much the rankings of evaluated runs depend on the wrong answer, beside the labels' own value."""

from pathlib import Path

import numpy as np
import polars as pl
from rich.table import Table

from shared.task.eedi import EEDI
from shared.task.metrics import interval, mean_figures, resample_figure
from shared.task.tables import SIBLINGS

HEADERS = {  # figure -> the head of its column
    "same_first": "same first",
    "shared": f"shared of {EEDI.metric.depth}",
    "tau": "tau",
    "own": f"{EEDI.metric.title} own",
    "swapped": "swapped",
    "hidden": "hidden",
}
MEANING = (
    "Answer sensitivity, over questions with several labelled wrong answers. Same first: questions whose wrong answers "
    "all get the same first misconception. Shared: ids that two of them have in common among their first "
    f"{EEDI.metric.depth}; tau: Kendall's rank correlation of these ids. {EEDI.metric.title} of the right answer in "
    "its own list, and with the "
    "wrong answer swapped with another one of the question, or hidden: the more these are alike, the less a ranking "
    "reads the wrong answer. The row labels is the right answers' own value."
)


def read_siblings(run: Path) -> pl.DataFrame | None:
    """The table SIBLINGS of an evaluated run; None where an older version evaluated it, or no question has siblings."""
    if not SIBLINGS.path(run / "evaluate").is_file():
        return None
    table = SIBLINGS.read(run / "evaluate")
    return None if table.is_empty() else table


def sensitivity_rows(tables: list[pl.DataFrame], pool: str, resamples: int) -> list[list[str]]:
    """A row of cells for every ranking, and for the labels, which come last: its name, then a cell for each of HEADERS.

    `tables` are SIBLINGS of one draw or more.
    """
    parts = [table.filter(pl.col("pool") == pool) for table in tables]
    names = parts[0]["ranking"].unique(maintain_order=True).to_list()
    return [[name, *_cells(parts, name, resamples)] for name in [*names[1:], names[0]]]


def sensitivity_table(title: str, tables: list[pl.DataFrame], pool: str, resamples: int) -> Table:
    """The same for a terminal."""
    questions = ", ".join(str(table["question_id"].n_unique()) for table in tables)
    table = Table(
        "ranking", *HEADERS.values(), title=f"{title}: answer sensitivity, {pool} pool, questions: {questions}"
    )
    for row in sensitivity_rows(tables, pool, resamples):
        table.add_row(*row)
    return table


def sensitivity_differences(a: list[pl.DataFrame], b: list[pl.DataFrame], resamples: int) -> list[str]:
    """A line for each figure that both have: a, b, and b - a with its paired interval, questions drawn alike.

    `a` and `b` are one ranking's rows of SIBLINGS, a table for every draw.
    """
    lines = []
    for figure, header in HEADERS.items():
        before, after = (resample_figure(tables, figure, resamples) for tables in (a, b))
        if before is None or after is None:
            continue
        difference = np.mean(after, 0) - np.mean(before, 0)
        low, high = interval(difference)
        values = f"{before.mean(0)[0]:.3f} -> {after.mean(0)[0]:.3f}"
        lines.append(f"{header:14}{values}, {difference[0]:+.3f} (95 %: {low:+.3f} to {high:+.3f})")
    return lines


def _cells(parts: list[pl.DataFrame], ranking: str, resamples: int) -> list[str]:
    figures = mean_figures([part.filter(pl.col("ranking") == ranking) for part in parts], tuple(HEADERS), resamples)
    return [_cell(figures.get(figure), 1 if figure == "shared" else 3) for figure in HEADERS]


def _cell(values: tuple[float, float, float] | None, digits: int) -> str:
    if values is None:
        return "-"
    mean, low, high = (f"{value:.{digits}f}" for value in values)
    return f"{mean} ({low}-{high})"
