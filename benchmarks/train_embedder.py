"""Measures the in-context embedder's training: queries a second, forward and backward, each with 8 passages.

python -m benchmarks.train_embedder [--shape 14b] [--seconds 120] [--out FILE.json], or [--gpus 2] [--out DIR]
"""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from benchmarks.harness.bench import Bench, installed, main, run_stage
from benchmarks.harness.results import OURS, Arm
from benchmarks.harness.training_arms import Reference, ready_to_train
from benchmarks.inputs.workload import draw_texts
from benchmarks.peers import ours, plain

# Queries at once and gradient checkpointing; 8 and True is the seed's, on each of 2 GPUs.
FLAG = ((8, True), (4, False), (16, True))
OTHER = ((16, True), (4, False))
BATCH_TOKENS = 4096  # sentence-transformers computes as many at once.


def run(bench: Bench, seconds: float, out: Path) -> None:
    run_stage(bench, "train_embedder", list(arms(bench)), train=True, seconds=seconds, out=out)


def arms(bench: Bench) -> Iterator[Arm]:
    """Ours at 8 and 16 queries, the peers at theirs; what is a negative to a query depends on how many there are."""
    backbone, queries = bench.base.model, 2 if bench.tiny else 48
    texts = draw_texts(bench.shape.vocabulary, queries, 8, seed=31)
    tokens = sum(len(row) for text in texts for row in (text.query, *text.passages))
    reference = Reference(partial(plain.embedder_trainer, backbone, recompute=True), texts)

    def arm(side: str, setting: str, make, size: int, seed: bool = False) -> Arm:
        build = lambda: ready_to_train(make(), texts, size, reference)  # noqa: E731
        return Arm(side, f"{size} queries, {setting}", build, tokens, queries, seed)

    trainer = cache(partial(ours.embedder_trainer, backbone))
    for size in (8, 16):
        yield arm(OURS, "exact", trainer, size)
    for peer, make, size, recompute in _peers(bench):
        setting = "gradient checkpointing" if recompute else "all activations kept"
        yield arm(peer, setting, make, size, peer == "FlagEmbedding" and (size, recompute) == FLAG[0])


def _peers(bench: Bench) -> Iterator[tuple]:
    backbone = bench.base.model
    if installed("FlagEmbedding"):
        from benchmarks.peers import flagembedding as flag

        for size, recompute in FLAG:
            yield (
                "FlagEmbedding",
                partial(flag.embedder_trainer, backbone, bench.tokenizer, recompute=recompute),
                size,
                recompute,
            )
    if installed("sentence-transformers"):
        from benchmarks.peers import sentence_transformers as st

        make = partial(st.embedder_trainer, backbone, bench.tokenizer, tokens=BATCH_TOKENS, recompute=False)
        yield "sentence-transformers", make, 16, False
    for size, recompute in OTHER:
        yield "transformers", partial(plain.embedder_trainer, backbone, recompute=recompute), size, recompute


if __name__ == "__main__":
    main(run, "train_embedder")
