"""Measures mining: encode every query behind its example and every misconception, find each query's 200 nearest.

python -m benchmarks.mine [--shape 14b] [--seconds 120] [--out FILE.json], or [--gpus 2] [--out DIR]
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.harness.bench import Bench, installed, main, run_stage
from benchmarks.harness.results import OURS, Arm, Ready
from benchmarks.inputs.workload import Mining, draw_mining, mining_rows, trie_tokens
from benchmarks.peers import ours
from benchmarks.peers.checks import reference_vectors

BATCHES = (1024, 128, 32)  # These count texts; 1024 is the seed's hn_mine.sh.
OTHER_BATCHES = (64,)
CHECKED_QUERIES = 8  # The vectors of as many are compared.
WARM_DIVISOR = 8  # A warm-up takes an eighth of the queries and of the passages.

Mine = Callable[[Mining], tuple[np.ndarray, np.ndarray]]  # nearest passages of each query, the queries' vectors


def run(bench: Bench, seconds: float, out: Path) -> None:
    run_stage(bench, "mine", list(arms(bench)), train=False, seconds=seconds, out=out)


def arms(bench: Bench, passages: int = 512, batches: Sequence[int] = BATCHES) -> Iterator[Arm]:
    """Ours and the peers on the same texts, the search included."""
    queries, passages, nearest = (16, min(passages, 40), 5) if bench.tiny else (512, passages, min(passages, 200))
    work = draw_mining(bench.shape.vocabulary, queries, passages, seed=41)
    tokens = sum(map(trie_tokens, mining_rows(work)))
    expected = cache(lambda: reference_vectors(bench.base.model, mining_rows(work)[0][:CHECKED_QUERIES]))
    model = cache(lambda: ours.packed(bench.base.model))

    def of_ours(some: Mining) -> tuple[np.ndarray, np.ndarray]:
        return ours.mine(model(), *mining_rows(some), nearest)

    yield Arm(OURS, "exact", partial(_ready, of_ours, work, expected), tokens, queries)
    for peer, theirs, batch in _peers(bench, work, nearest, batches):
        seed = peer == "FlagEmbedding" and batch == BATCHES[0]
        yield Arm(peer, f"batch {batch}", partial(_ready, theirs, work, expected), tokens, queries, seed)


def _peers(bench: Bench, work: Mining, nearest: int, batches: Sequence[int]) -> Iterator[tuple[str, Mine, int]]:
    backbone = bench.base.model
    if installed("FlagEmbedding"):
        from benchmarks.peers import flagembedding as flag

        one = cache(lambda: flag.embedder(backbone, bench.tokenizer, work))
        for batch in batches:
            yield "FlagEmbedding", lambda some, batch=batch: flag.mine(one(), some, batch, nearest), batch
    if installed("sentence-transformers"):
        from benchmarks.peers import sentence_transformers as st

        other = cache(lambda: st.embedder(backbone, bench.tokenizer))
        for batch in OTHER_BATCHES:
            yield "sentence-transformers", lambda some, batch=batch: st.mine(other(), some, batch, nearest), batch


def _ready(mine: Mine, work: Mining, expected: Callable[[], np.ndarray]) -> Ready:
    """The check's error is of the vectors' coordinates, which have a length of 1 together."""
    some = replace(work, queries=work.queries[::WARM_DIVISOR], passages=work.passages[::WARM_DIVISOR])

    def check() -> dict[str, float]:
        first = replace(work, queries=work.queries[:CHECKED_QUERIES], passages=work.passages[:CHECKED_QUERIES])
        found = mine(first)[1]
        return {
            "max_error": float(np.abs(found - expected()).max()),
            "cosine": float((found * expected()).sum(1).min()),
        }

    return Ready(run=lambda: mine(work), warm=lambda: mine(some), share=1 / WARM_DIVISOR, check=check)


if __name__ == "__main__":
    main(run, "mine")
