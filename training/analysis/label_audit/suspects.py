"""Finds labels that models which were not trained on them agree against, and entries that are taken for each other."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from shared.task.tables import PAIR

SUSPECTS = pl.Schema(
    {
        "query_id": pl.String,
        "label": pl.Int64,
        "suggestion": pl.Int64,  # the entry that most draws rank first, of those that are not the label
        "draws": pl.Int64,  # in which the row was held out
        "agree": pl.Int64,  # draws that rank the suggestion first
        "suspicion": pl.Float64,  # mean over the draws of log P(first) - log P(label), in the row's own candidates
    }
)

CONFUSED = pl.Schema(dict.fromkeys(("entry", "other", "times", "rows"), pl.Int64))


def find_suspects(draws: Sequence[pl.DataFrame], labels: pl.DataFrame, same: Mapping[int, int]) -> pl.DataFrame:
    """The rows of `labels` (query_id, misconception_id) that no draw that held them out ranks their label first.

    Each of `draws` has query_id, misconception_id and `score` (a logit) of candidates of held-out rows. Entries that
    `same` gives one representative are one. The most suspect come first: those more draws agree on, then by suspicion.
    """
    answers = {row[0]: same.get(row[1], row[1]) for row in labels.select("query_id", "misconception_id").iter_rows()}
    own = dict(labels.select("query_id", "misconception_id").iter_rows())
    firsts: dict[str, list[int]] = {}
    gaps: dict[str, list[float]] = {}
    for draw in draws:
        for (query_id,), table in draw.group_by("query_id", maintain_order=True):
            if query_id in answers:
                first, gap = _look(table, answers[query_id], same)
                firsts.setdefault(query_id, []).append(first)
                gaps.setdefault(query_id, []).append(gap)
    rows = []
    for query_id, said in firsts.items():
        others = [first for first in said if first != answers[query_id]]
        if len(others) == len(said):
            suggestion = max(dict.fromkeys(others), key=others.count)
            agree = others.count(suggestion)
            rows.append((query_id, own[query_id], suggestion, len(said), agree, float(np.mean(gaps[query_id]))))
    rows.sort(key=lambda row: (-min(row[4], 2), -row[5], row[0]))  # agreement of two is what one draw cannot have
    return pl.DataFrame(rows, schema=SUSPECTS, orient="row")


def find_confused(draws: Sequence[pl.DataFrame], labels: pl.DataFrame, same: Mapping[int, int]) -> pl.DataFrame:
    """entry, other, times, rows: how often held-out rows of either entry have the other one ranked first.

    `rows` is how many held-out rows there are of both, over all draws. The most frequent pairs come first.
    """
    answers = {row[0]: same.get(row[1], row[1]) for row in labels.select("query_id", "misconception_id").iter_rows()}
    times: dict[tuple[int, int], int] = {}
    held: dict[int, int] = {}
    for draw in draws:
        best = draw.sort("query_id", "score", descending=[False, True]).unique("query_id", keep="first")
        for query_id, first in best.select(PAIR).iter_rows():
            if (answer := answers.get(query_id)) is None:
                continue
            held[answer] = held.get(answer, 0) + 1
            if (first := same.get(first, first)) != answer:
                pair = (min(first, answer), max(first, answer))
                times[pair] = times.get(pair, 0) + 1
    rows = [(*pair, count, held.get(pair[0], 0) + held.get(pair[1], 0)) for pair, count in times.items() if count > 1]
    rows.sort(key=lambda row: (-row[2], row[3], row[:2]))
    return pl.DataFrame(rows, schema=CONFUSED, orient="row")


def _look(table: pl.DataFrame, answer: int, same: Mapping[int, int]) -> tuple[int, float]:
    """The entry that is ranked first, and by how many logits it is before the label; absent, the label is last."""
    ids = [same.get(id_, id_) for id_ in table["misconception_id"]]
    scores = table["score"].to_numpy().astype(float)
    first = int(np.lexsort((ids, -scores))[0])
    own = [score for id_, score in zip(ids, scores, strict=True) if id_ == answer]
    return ids[first], float(scores[first] - (max(own) if own else scores.min()))
