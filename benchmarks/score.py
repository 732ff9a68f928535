"""Measures scoring, as teaching and evaluating do it: pairs a second, one logit for each.

python -m benchmarks.score [--shape 14b] [--seconds 120] [--out FILE.json], or [--gpus 2] [--out DIR]
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.harness.bench import Bench, installed, main, run_stage
from benchmarks.harness.results import OURS, Arm, Ready
from benchmarks.inputs.workload import (
    Group,
    draw_pairs,
    exact_group,
    instruction,
    instruction_first_group,
    query_once_tokens,
    rows_of,
    trie_tokens,
)
from benchmarks.peers import ours, plain
from benchmarks.peers.checks import reference_scores, score_errors

BATCHES = (8, 32, 128)  # These count pairs; 8 is the seed's.
OTHER_BATCHES = (64,)
CHECKED_QUERIES, WARM_QUERIES = 3, 8

Score = Callable[[Sequence], np.ndarray]


def run(bench: Bench, seconds: float, out: Path) -> None:
    run_stage(bench, "score", list(arms(bench)), train=False, seconds=seconds, out=out)


def arms(bench: Bench, passages: int = 16, fp8: bool = True) -> Iterator[Arm]:
    """Ours in both prompts, then the peers; a question's wrong answers lie beside each other."""
    queries, passages = (8, 4) if bench.tiny else (64, passages)
    pairs, asked = draw_pairs(bench.shape.vocabulary, queries, passages, seed=21), instruction(bench.shape.vocabulary)
    exact, first = ([make(pair, asked) for pair in pairs] for make in (exact_group, instruction_first_group))
    model, count = cache(partial(ours.packed, bench.base)), queries * passages
    expected, expected_first = (cache(partial(_reference, bench, groups)) for groups in (exact, first))
    tokens, tokens_first = query_once_tokens(exact), trie_tokens(_flat(first))

    def score(groups: Sequence[Group]) -> np.ndarray:
        return ours.score(model(), _flat(groups))

    yield Arm(OURS, "exact", partial(_ready, score, exact, passages, expected), tokens, count)
    setting = "instruction first + trie of siblings"
    yield Arm(OURS, setting, partial(_ready, score, first, passages, expected_first), tokens_first, count)
    for peer, setting, theirs, batch in _peers(bench, asked):
        work = exact if peer == "transformers" else pairs
        seed = peer == "FlagEmbedding" and batch == BATCHES[0]
        yield Arm(
            peer, f"{setting}, batch {batch}", partial(_ready, theirs, work, passages, expected), tokens, count, seed
        )
    if fp8 and bench.device.type == "cuda":
        build = partial(_build_fp8, bench, exact, passages, expected)
        yield Arm(OURS, "exact, weights in 8 bits", build, tokens, count, alone=True)


def _build_fp8(bench: Bench, groups: Sequence[Group], passages: int, expected: Callable) -> Ready:
    model = ours.packed(bench.base, fp8=True)
    return _ready(lambda some: ours.score(model, _flat(some)), groups, passages, expected)


def _peers(bench: Bench, asked: list[int]) -> Iterator[tuple[str, str, Score, int]]:
    if installed("FlagEmbedding"):
        from benchmarks.peers import flagembedding as flag

        one = cache(lambda: flag.reranker(bench.base, bench.tokenizer, asked))
        for batch in BATCHES:
            yield "FlagEmbedding", "compute_score", lambda some, batch=batch: flag.score(one(), some, batch), batch
    if installed("sentence-transformers"):
        from benchmarks.peers import sentence_transformers as st

        other = cache(lambda: st.reranker(bench.base, bench.tokenizer))
        for batch in OTHER_BATCHES:
            score = lambda some, batch=batch: st.score(other(), some, asked, batch)  # noqa: E731
            yield "sentence-transformers", "CrossEncoder.predict", score, batch
    for batch in OTHER_BATCHES:
        score = lambda groups, batch=batch: plain.score(bench.base, _flat(groups), batch)  # noqa: E731
        yield "transformers", "longest first", score, batch


def _ready(score: Score, work: Sequence, passages: int, expected: Callable[[], np.ndarray]) -> Ready:
    """The check scores the first queries alone; `work` has an entry for each query."""
    return Ready(
        run=lambda: score(work),
        warm=lambda: score(work[:WARM_QUERIES]),
        share=len(work[:WARM_QUERIES]) / len(work),
        check=lambda: score_errors(score(work[:CHECKED_QUERIES]), expected(), passages),
    )


def _reference(bench: Bench, groups: Sequence[Group]) -> np.ndarray:
    return reference_scores(bench.base, _flat(groups[:CHECKED_QUERIES]))


def _flat(groups: Sequence[Group]) -> list[list[int]]:
    return [row for group in groups for row in rows_of(group)]


if __name__ == "__main__":
    main(run, "score")
