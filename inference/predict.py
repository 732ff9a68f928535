"""Makes submission.csv from a competition folder and merged models, ever better, until it is done or time is up.

Words shared, then retrieved, fused, reranked, fused, calibrated: after each step and shard a valid file stands there.
"""

import json
import math
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from inference.anytime import Limit, Progress, Reranker, Score, Work, describe, rerank_in_time, say_loudly
from inference.board import Board
from inference.calibrate import Calibration, apply, check_ids, choose
from inference.card import read_embedder_card, read_reranker_card
from inference.ensemble import Models
from inference.fuse import PAIR, blend_candidates, blend_scores
from inference.lexical import WordIndex
from inference.profiles import Profile, load_profile
from inference.submission import check_submission
from shared.competition import read_misconceptions, stream_test
from shared.settings import Engine

QUESTIONS = 700  # of a chunk: 2,100 rows, whose queries are 0.9 M tokens with their examples: minutes on a T4
STEPS = 16  # full batches in a shard; the last, half empty one then costs 3 %
CANDIDATE = 60  # tokens of a candidate with its part of the query, about


def predict(
    competition: Path,
    models: Models,
    out: Path,
    *,
    profile: str,
    calibration: Calibration,
    engine: Engine = "vllm",
    limit: Limit | None = None,
) -> dict:
    """Write `out` (submission.csv); beside it timings.json, seconds by part, and budget.json, which model came how far.

    One model is in memory at a time, and one chunk of the test rows. What a model raises is printed and costs its
    part of the result, not the result. Returns what budget.json says; "failed" there names the models that failed.
    """
    machine, limit = load_profile(profile), limit or Limit()
    for member in models.embedders:
        read_embedder_card(member.folder)
    for member in models.rerankers:  # a wrong folder is said now, not after retrieval
        read_reranker_card(member.folder)
    misconceptions = read_misconceptions(competition)
    known = set(misconceptions["misconception_id"])
    check_ids(calibration, known)
    out.parent.mkdir(parents=True, exist_ok=True)
    board = Board(out.with_name(f".{out.name}.work"), out, limit.clock)
    run = Run(models, calibration, misconceptions, board, engine, machine, limit)
    seconds: dict[str, float] = {}
    try:
        _timed("read", seconds, lambda: _read(run, competition))
        _timed("retrieve", seconds, lambda: _retrieve(run))
        _timed("rerank", seconds, lambda: _rerank(run))
        check_submission(out, board.query_ids(), known)
    finally:
        board.close()
    write_json(out.with_name("timings.json"), seconds)
    return run.report("ended by itself")


def write_json(path: Path, content: dict) -> None:
    """Write `path` whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(partial, path)


@dataclass(frozen=True)
class Run:
    """What stays the same from the first row to the last."""

    models: Models
    calibration: Calibration
    misconceptions: pl.DataFrame
    board: Board
    engine: Engine
    machine: Profile
    limit: Limit
    found: list[str] = field(default_factory=list)  # how each embedder ended
    scored: list[Progress] = field(default_factory=list)  # how far each reranker came

    @property
    def wanted(self) -> int:
        """Candidates of a query that are reranked."""
        return min(self.calibration.depth + self.calibration.extra, len(self.misconceptions))

    def rank(self, chunk: int) -> pl.DataFrame:
        """The best order of a chunk's rows that is known by now."""
        return self.rank_with(chunk, len(self.models.rerankers))

    def rank_with(self, chunk: int, rerankers: int) -> pl.DataFrame:
        """The order of a chunk's rows by the first so many rerankers."""
        candidates = self.board.read("candidates", chunk)
        there = [number for number in range(rerankers) if self.board.has(f"scored{number}", chunk)]
        scored = candidates.select(*PAIR, pl.lit(None, pl.Float32).alias("rerank_score")).clear()
        if there:
            tables = [self.board.read(f"scored{number}", chunk) for number in there]
            weights = [self.models.rerankers[number].weight for number in there]
            scored = blend_scores(tables, weights, self.models.average)
        return apply(candidates, scored, self.calibration)

    def publish(self, final: bool, scored: Sequence[Progress] = ()) -> float:
        """Write submission.csv and budget.json as things stand; returns the seconds that it takes."""
        self.scored[:] = scored
        self.report("running")
        return self.board.publish(self.rank, final)

    def report(self, process: str) -> dict:
        """Write budget.json and return what it says."""
        embedders = [
            {"model": member.folder.name, "ended": ended}
            for member, ended in zip(self.models.embedders, self.found, strict=False)
        ]
        rerankers = [
            describe(member.folder.name, state)
            for member, state in zip(self.models.rerankers, self.scored, strict=False)
        ]
        left = self.limit.left()
        content = {
            "process": process,
            "seconds_left": None if math.isinf(left) else round(left, 1),
            "rows": sum(self.board.sizes),
            "wanted": self.wanted,
            "embedders": embedders,
            "rerankers": rerankers,
            "failed": [part["model"] for part in [*embedders, *rerankers] if part["ended"] == "failed"],
        }
        write_json(self.board.out.with_name("budget.json"), content)
        return content


def _read(run: Run, competition: Path) -> None:
    """Cut the test rows into chunks, and let the words that they share with misconceptions make a first submission."""
    index = WordIndex(run.misconceptions)
    for queries in stream_test(competition, QUESTIONS):
        chunk = run.board.add(queries)
        run.board.keep("candidates", chunk, index.rank(queries, run.calibration.retrieved))
    run.publish(True)


def _retrieve(run: Run) -> None:
    """Find candidates with every embedder for which there is time."""
    took = 0.0
    for number, member in enumerate(run.models.embedders):
        first = run.models.embedders[0]
        expected = took * _size(member.folder) / _size(first.folder)
        if run.limit.left() <= 0 or (number and expected > run.limit.left() / 2):
            run.found.append("skipped, no time")
            continue
        began = run.limit.clock()
        try:
            run.found.append(_find(run, number))
        except Exception:
            traceback.print_exc()
            say_loudly(f"embedder {member.folder} failed: going on without what it did not find")
            run.found.append("failed")
        took = took or run.limit.clock() - began
        run.publish(True)


def _find(run: Run, number: int) -> str:
    """Candidates of every chunk from one embedder, blended with those of the embedders before it."""
    from inference.engines import open_encoder  # these import torch: not before a first submission stands
    from inference.retrieve import encode_misconceptions, find_candidates, query_prompts
    from inference.tokens import embedder_words, load_tokenizer

    member, k = run.models.embedders[number], run.calibration.retrieved
    card, words = read_embedder_card(member.folder), embedder_words(load_tokenizer(member.folder))
    with open_encoder(run.engine, member.folder, card.pooling, run.machine) as encoder:
        known = encode_misconceptions(run.misconceptions, encoder, words, card)
        for chunk in range(len(run.board.sizes)):
            if run.limit.left() <= 0:
                return "out of time"
            queries = run.board.read("queries", chunk)
            asked = encoder.encode(query_prompts(queries, words, card))
            found = find_candidates(queries, run.misconceptions, asked, known, k)
            run.board.keep(f"found{number}", chunk, found)
            there = [place for place in range(number + 1) if run.board.has(f"found{place}", chunk)]
            tables = [run.board.read(f"found{place}", chunk) for place in there]
            weights = [run.models.embedders[place].weight for place in there]
            run.board.keep("candidates", chunk, blend_candidates(tables, weights, run.models.average, k))
            run.publish(False)
    return "complete"


def _rerank(run: Run) -> None:
    """Score as many candidates as there is time for, with every reranker for which there is time."""
    rows_at_once = max(1, STEPS * run.machine.batch_tokens // (CANDIDATE * run.wanted))
    work = Work(tuple(run.board.sizes), run.wanted, rows_at_once)
    rerankers = [
        Reranker(str(member.folder), _size(member.folder), lambda number=number: _scoring(run, number))
        for number, member in enumerate(run.models.rerankers)
    ]
    rerank_in_time(rerankers, work, run.limit, lambda progress, final: run.publish(final, progress))


@contextmanager
def _scoring(run: Run, number: int) -> Iterator[Score]:
    """The function that scores some candidates of some rows with one reranker and keeps the scores on the board."""
    from inference.engines import open_scorer
    from inference.rerank import count_tokens, score_pairs
    from inference.tokens import load_tokenizer, reranker_words

    member, ends, name = run.models.rerankers[number], np.cumsum(run.board.sizes), f"scored{number}"
    prompt, words = read_reranker_card(member.folder).prompt, reranker_words(load_tokenizer(member.folder))

    @lru_cache(maxsize=1)
    def read_chunk(chunk: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Its queries, and its candidates in the order in which this reranker reads them."""
        chosen = choose(run.board.read("candidates", chunk), run.calibration).select(PAIR)
        order = run.rank_with(chunk, number).select(*PAIR, "rank")
        ordered = chosen.join(order, on=PAIR).sort("query_id", "rank")
        place = pl.int_range(1, pl.len() + 1).over("query_id").alias("place")
        return run.board.read("queries", chunk), ordered.select(*PAIR, place)

    with open_scorer(run.engine, member.folder, run.machine) as scorer:

        def score(rows: np.ndarray, first: int, last: int) -> tuple[int, int]:
            chunk = int(np.searchsorted(ends, rows[0], side="right"))
            queries, ordered = read_chunk(chunk)
            asked = queries[rows - (ends[chunk] - len(queries))]
            pairs = asked.select("query_id").join(ordered, on="query_id", maintain_order="left_right")
            pairs = pairs.filter(pl.col("place").is_between(first + 1, last)).select(PAIR)
            scored = pairs.with_columns(score_pairs(asked, run.misconceptions, pairs, scorer, words, prompt))
            before = [run.board.read(name, chunk)] if run.board.has(name, chunk) else []
            run.board.keep(name, chunk, pl.concat([*before, scored]))
            return count_tokens(asked, run.misconceptions, pairs, words, prompt)

        yield score


def _size(folder: Path) -> float:
    """Bytes of a model's weights: how slow it is beside another."""
    return 1.0 + sum(path.stat().st_size for path in folder.glob("model*.safetensors"))


def _timed(part: str, seconds: dict[str, float], work: Callable):
    start = time.perf_counter()
    result = work()
    seconds[part] = round(time.perf_counter() - start, 2)
    print(f"{part}  {seconds[part]:.1f} s", flush=True)
    return result
