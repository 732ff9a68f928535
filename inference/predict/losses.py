"""Remembers which rows a model could not answer, and names every one of them: in budget.json and in one sentence.

A row that an embedder lost keeps the candidates that it had before; a pair that a reranker lost keeps its place.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from inference.predict.anytime import RerankingProgress
from inference.predict.chunk_store import ChunkStore

NO_ANSWER = "a prompt was too long, or gave NaN or infinity"
FAILED = "its part of the work failed"
NEVER_READ = "the model failed before its turn"
SHOWN = 50  # ids that the sentence names; budget.json names all

Losses = dict[str, list]  # {why: ids}


def keep_losses(store: ChunkStore, name: str, chunk: int, ids: pl.Series, why: str) -> None:
    """Remember that these rows of a chunk (or, of a catalogue, these misconceptions) have no answer in table `name`."""
    table, new = f"lost-{name}", pl.DataFrame({"id": ids.cast(pl.String)}).with_columns(pl.lit(why).alias("why"))
    before = [store.read(table, chunk)] if store.has(table, chunk) else []
    store.keep(table, chunk, pl.concat([*before, new]).unique("id", maintain_order=True))


def read_losses(store: ChunkStore, name: str) -> Losses:
    """{why: ids} of what was remembered under `name`."""
    losses: Losses = {}
    for chunk in range(len(store.sizes)):
        if store.has(f"lost-{name}", chunk):
            for id_, why in store.read(f"lost-{name}", chunk).iter_rows():
                losses.setdefault(why, []).append(id_)
    return losses


def lost_by_reranker(store: ChunkStore, number: int, state: RerankingProgress, wanted: int, final: bool) -> Losses:
    """{why: ids} of the rows that lack a score of a reranker; those that it never came to only if `final`."""
    losses = read_losses(store, f"scored{number}")
    short = state.done < wanted
    failed = short & (state.failures > 0)
    groups = {FAILED: failed}
    if final and state.ended == "failed":
        groups[NEVER_READ] = short & ~failed
    named = {id_ for ids in losses.values() for id_ in ids}
    for why, rows in groups.items():
        if ids := [id_ for id_ in _ids(store, np.flatnonzero(rows)) if id_ not in named]:
            losses.setdefault(why, []).extend(ids)
    return losses


def count(losses: Losses) -> int:
    """How many ids are named."""
    return sum(map(len, losses.values()))


def describe_losses(entry: dict, rows: int) -> str:
    """A sentence on what a model of budget.json lost; "" where it lost nothing."""
    parts = []
    for why, ids in entry["lost"].items():
        parts.append(f"{', '.join(map(str, ids[:SHOWN]))}{_more(len(ids))} ({why})")
    if hidden := entry.get("misconceptions_lost"):
        parts.append(f"misconceptions {', '.join(map(str, hidden[:SHOWN]))}{_more(len(hidden))} (it never finds them)")
    if not parts:
        return ""
    return f"{entry['model']} has no answer for {entry['rows_lost']} of {rows} rows: {'; '.join(parts)}"


def _more(ids: int) -> str:
    return f" and {ids - SHOWN} more, which budget.json names" if ids > SHOWN else ""


def _ids(store: ChunkStore, rows: np.ndarray) -> Iterable[str]:
    """The ids of rows, by their numbers, which ascend."""
    ends = np.cumsum(store.sizes)
    chunks = np.searchsorted(ends, rows, side="right")
    for chunk in np.unique(chunks):
        inside = rows[chunks == chunk] - (ends[chunk] - store.sizes[chunk])
        yield from store.read("queries", int(chunk))["query_id"].gather(inside)
