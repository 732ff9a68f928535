"""Makes submission.csv from a competition folder and merged models: retrieve, fuse, rerank, fuse, calibrate, write."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from inference.calibrate import Calibration, apply, check_ids, choose
from inference.card import read_embedder_card, read_reranker_card
from inference.ensemble import Member, Models
from inference.fuse import PAIR, blend_candidates, blend_scores
from inference.profiles import Profile, load_profile
from inference.rerank import score_with
from inference.retrieve import retrieve
from inference.submission import read_submission, write_submission
from shared.competition import Competition, read_competition
from shared.settings import Engine


def predict(
    competition: Path, models: Models, out: Path, *, profile: str, calibration: Calibration, engine: Engine = "vllm"
) -> dict:
    """Write `out` (submission.csv) and the seconds of each part beside it, as timings.json; returns the seconds.

    One model is in memory at a time. The file stands after retrieval already, in retrieval order, and is replaced when
    the rerankers are done.
    """
    seconds: dict[str, float] = {}
    machine = load_profile(profile)
    for member in models.embedders:
        read_embedder_card(member.folder)
    for member in models.rerankers:  # a wrong folder is said now, not after retrieval
        read_reranker_card(member.folder)
    data = _timed("read", seconds, lambda: read_competition(competition, need_train=False))
    known = set(data.misconceptions["misconception_id"])
    check_ids(calibration, known)
    found = _timed("retrieve", seconds, lambda: _retrieve(data, models, calibration.retrieved, engine, machine))
    unscored = found.select(*PAIR, pl.lit(None, pl.Float32).alias("rerank_score")).clear()
    write_submission(apply(found, unscored, calibration), data.test, out)
    chosen = choose(found, calibration)
    scored = _timed("rerank", seconds, lambda: _rerank(data, models, chosen, engine, machine))
    write_submission(apply(found, scored, calibration), data.test, out)
    read_submission(out, data.test, known)
    out.with_name("timings.json").write_text(json.dumps(seconds, indent=1) + "\n")
    return seconds


def _retrieve(data: Competition, models: Models, k: int, engine: Engine, machine: Profile) -> pl.DataFrame:
    """Candidates of all embedders together."""
    cards = [read_embedder_card(member.folder) for member in models.embedders]
    tables = [
        retrieve(data.test, data.misconceptions, member.folder, card, engine=engine, profile=machine, k=k)
        for member, card in zip(models.embedders, cards, strict=True)
    ]
    return blend_candidates(tables, _weights(models.embedders), models.average, k)


def _rerank(data: Competition, models: Models, chosen: pl.DataFrame, engine: Engine, machine: Profile) -> pl.DataFrame:
    """`rerank_score` of the chosen candidates by all rerankers together."""
    pairs = chosen.select(PAIR)
    tables = [
        pairs.with_columns(
            score_with(data.test, data.misconceptions, pairs, member.folder, engine=engine, profile=machine)
        )
        for member in models.rerankers
    ]
    return blend_scores(tables, _weights(models.rerankers), models.average)


def _weights(members: tuple[Member, ...]) -> list[float]:
    return [member.weight for member in members]


def _timed(part: str, seconds: dict[str, float], work: Callable):
    start = time.perf_counter()
    result = work()
    seconds[part] = round(time.perf_counter() - start, 2)
    print(f"{part}  {seconds[part]:.1f} s", flush=True)
    return result
