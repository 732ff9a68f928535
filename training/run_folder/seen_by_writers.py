"""Says what the writers of texts saw of the labels, and keeps that where texts go through a file.

The table TEXTS has columns for it. A file of texts has none: there it stands behind the writer's name, as "model (saw
labels of split cv)", which is read back.
"""

import re
from collections import Counter

import polars as pl

from training.run_folder.students import is_student

LABELS, SOLVED, LESSONS = "labels", "solved examples", "a teacher's lessons"  # what a writer may have seen
SAW = re.compile(rf" \(saw ((?:{LABELS}|{SOLVED}|{LESSONS}).*)\)$")  # behind its name


def with_seen(texts: pl.DataFrame, split: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """(`texts` (TEXTS) of a run with `split`, {what their writers saw: how many texts}).

    In the table that is returned, the model of such a text says it. One that was replayed says it already, or not.
    """
    columns = ("key", "model", "saw_label", "shots", "finish_reason")
    seen: dict[str, str] = {}  # by key, for a file names one writer of all texts about it
    for key, model, saw_label, shots, finish in texts.select(columns).iter_rows():
        where = "" if finish == "replayed" else f" of split {split}"
        seen[key] = seen.get(key) or _seen(model, saw_label, shots, where)
    models = [
        f"{model} (saw {seen[key]})" if seen[key] and not SAW.search(model) else model
        for key, model in texts.select("key", "model").iter_rows()
    ]
    counts = Counter(seen[key] for key in texts["key"] if seen[key])
    return texts.with_columns(model=pl.Series(models, dtype=pl.String)), dict(sorted(counts.items()))


def seen_in_file(texts: pl.DataFrame) -> dict[str, int]:
    """{what their writers saw: how many texts} of those `texts` (TEXTS) that were replayed, as their names say."""
    return with_seen(texts.filter(pl.col("finish_reason") == "replayed"), "")[1]


def _seen(model: str, saw_label: bool, shots: str, where: str) -> str:
    if said := SAW.search(model):
        return said[1]
    kinds = {LABELS: saw_label, SOLVED: shots != "", LESSONS: is_student(model)}
    seen = " and ".join(kind for kind, there in kinds.items() if there)
    return seen and seen + where
