"""Makes submission.csv from a competition folder and two merged models: retrieve, rerank, write."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from inference.card import read_embedder_card, read_reranker_card
from inference.profiles import load_profile
from inference.rerank import rerank
from inference.retrieve import retrieve
from inference.submission import read_submission, write_submission
from shared.competition import read_competition
from shared.metrics import K
from shared.settings import Engine


def predict(
    competition: Path,
    embedder: Path,
    reranker: Path,
    out: Path,
    *,
    profile: str,
    engine: Engine = "vllm",
    depth: int = K,
) -> dict:
    """Write `out` (submission.csv) and the seconds of each part beside it, as timings.json; returns the seconds.

    The file stands after retrieval already, in retrieval order, and is replaced when the reranker is done.
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}: rerank at least 1 candidate")
    seconds: dict[str, float] = {}
    machine, card = load_profile(profile), read_embedder_card(embedder)
    read_reranker_card(reranker)  # a wrong folder is said now, not after retrieval
    data = _timed("read", seconds, lambda: read_competition(competition, need_train=False))
    known = set(data.misconceptions["misconception_id"])
    candidates = _timed(
        "retrieve",
        seconds,
        lambda: retrieve(
            data.test,
            data.misconceptions,
            embedder,
            card,
            engine=engine,
            profile=machine,
            k=max(K, depth),
        ),
    )
    write_submission(candidates, data.test, out)
    ranked = _timed(
        "rerank",
        seconds,
        lambda: rerank(
            data.test, data.misconceptions, candidates, reranker, engine=engine, profile=machine, depth=depth
        ),
    )
    write_submission(ranked, data.test, out)
    read_submission(out, data.test, known)
    out.with_name("timings.json").write_text(json.dumps(seconds, indent=1) + "\n")
    return seconds


def _timed(part: str, seconds: dict[str, float], work: Callable):
    start = time.perf_counter()
    result = work()
    seconds[part] = round(time.perf_counter() - start, 2)
    print(f"{part}  {seconds[part]:.1f} s", flush=True)
    return result
