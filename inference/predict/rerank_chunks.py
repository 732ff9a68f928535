"""Scores the candidates of every test row with one reranker after the other, as deep as there is time for."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import polars as pl

from inference.engines.open import count_processes
from inference.engines.progress import Meter
from inference.fusion.calibration import select_candidates
from inference.fusion.cascade import cut_behind_best, read_before
from inference.predict.anytime import OpenableReranker, Score, Work, rerank_in_time
from inference.predict.losses import NO_ANSWER, keep_losses
from inference.predict.state import Prediction, size_of
from inference.reranking.kinds import open_reranker
from inference.retrieval.descriptions import described
from shared.task.tables import PAIR

STEPS = 16  # full batches of each process in a shard; that its last ones are smaller then costs little
CANDIDATE = 60  # tokens of a candidate with its part of the query, about


def score_all(prediction: Prediction) -> None:
    """Score as many candidates as there is time for, with every reranker for which there is time."""
    profile = prediction.serving.profile
    batch_tokens = profile.batch_tokens * max(1, count_processes(profile))
    rows_at_once = max(1, STEPS * batch_tokens // (CANDIDATE * prediction.wanted))
    work = Work(tuple(prediction.store.sizes), prediction.wanted, rows_at_once)
    rerankers = [
        OpenableReranker(
            str(member.folder),
            size_of(member.folder),
            lambda number=number: open_scoring(prediction, number),
            member.depth,
        )
        for number, member in enumerate(prediction.models.rerankers)
    ]
    rerank_in_time(rerankers, work, prediction.limit, lambda progress, final: prediction.publish(final, progress))


@contextmanager
def open_scoring(prediction: Prediction, number: int) -> Iterator[Score]:
    """The function that scores some candidates of some rows with one reranker and keeps the scores in the store."""
    member, ends, name = prediction.models.rerankers[number], np.cumsum(prediction.store.sizes), f"scored{number}"
    misconceptions = described(prediction.misconceptions, member.folder)

    @lru_cache(maxsize=1)
    def read_chunk(chunk: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Its queries, and its candidates, `rank` being the order in which this reranker reads them."""
        chosen = select_candidates(prediction.store.read("candidates", chunk), prediction.calibration).select(PAIR)
        if prediction.models.is_cascade:
            chosen = read_before(chosen, [*prediction.scored_by(chunk, number).values()])
        order = prediction.rank_with(chunk, number).select(*PAIR, "rank", "rerank_score")
        ordered = cut_behind_best(chosen.join(order, on=PAIR), member.gap).sort("query_id", "rank")
        rank = pl.int_range(1, pl.len() + 1).over("query_id").alias("rank")
        return prediction.store.read("queries", chunk), ordered.select(*PAIR, rank)

    total = sum(prediction.store.sizes) * prediction.wanted_of(number)
    with (
        open_reranker(member.folder, prediction.serving, strict=False) as reranker,
        Meter(desc=f"rerank {member.folder.name}", total=total, unit=" candidates") as meter,
    ):

        def score(rows: np.ndarray, first: int, last: int) -> tuple[int, int]:
            chunk = int(np.searchsorted(ends, rows[0], side="right"))
            queries, ordered = read_chunk(chunk)
            asked = queries[rows - (ends[chunk] - len(queries))]
            near = asked.select("query_id").join(ordered, on="query_id", maintain_order="left_right")
            near = near.filter(pl.col("rank").is_between(first + 1, last))
            scores = reranker.score(asked, misconceptions, near)
            scored = near.select(PAIR).with_columns(scores.values.fill_nan(None))
            lost = scored.filter(pl.col("rerank_score").is_null())["query_id"].unique(maintain_order=True)
            if len(lost):
                keep_losses(prediction.store, name, chunk, lost, NO_ANSWER)
            before = [prediction.store.read(name, chunk)] if prediction.store.has(name, chunk) else []
            kept = [table.join(scored, on=PAIR, how="anti", maintain_order="left") for table in before]  # of a retry
            prediction.store.keep(name, chunk, pl.concat([*kept, scored]))
            meter.update(len(scored))
            return scores.query_tokens, scores.candidate_tokens

        yield score
