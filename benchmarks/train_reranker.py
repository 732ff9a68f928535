"""Measures the reranker's training: groups a second, forward and backward, LoRA on every linear layer.

python -m benchmarks.train_reranker [--shape 14b] [--seconds 120] [--out FILE.json], or [--gpus 2] [--out DIR]
"""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from benchmarks.harness.bench import Bench, installed, main, run_stage
from benchmarks.harness.results import OURS, Arm
from benchmarks.harness.sides import Trainer
from benchmarks.harness.training_arms import Reference, ready_to_train
from benchmarks.inputs.workload import (
    draw_pairs,
    exact_group,
    instruction,
    instruction_first_group,
    query_once_tokens,
    rows_of,
)
from benchmarks.peers import ours, plain

# Groups at once and gradient checkpointing; 1 and True is the seed's, 1 and False the fastest.
FLAG = ((1, True), (1, False), (4, True))
OTHER = ((4, True), (1, False))


def run(bench: Bench, seconds: float, out: Path) -> None:
    run_stage(bench, "train_reranker", list(arms(bench)), train=True, seconds=seconds, out=out)


def arms(bench: Bench) -> Iterator[Arm]:
    """Ours in both prompts, the peers as the seed ran them and tuned; one pass is half of the seed's update."""
    queries, passages = (4, 4) if bench.tiny else (16, 16)
    vocabulary = bench.shape.vocabulary
    pairs, asked = draw_pairs(vocabulary, queries, passages, seed=11, siblings=False), instruction(vocabulary)
    prompts = (exact_group, instruction_first_group)
    exact_groups, first_groups = ([make(pair, asked) for pair in pairs] for make in prompts)
    exact, first = ([rows_of(group) for group in groups] for groups in (exact_groups, first_groups))
    trainer, tokens = cache(partial(ours.reranker_trainer, bench.base)), query_once_tokens(exact_groups)
    reference, reference_first = (Reference(partial(_plain, bench, True), groups) for groups in (exact, first))

    def build(make, groups: list, size: int, expected: Reference):
        return lambda: ready_to_train(make(), groups, size, expected)

    yield Arm(OURS, "exact", build(trainer, exact, queries, reference), tokens, queries)
    shorter = build(trainer, first, queries, reference_first)
    yield Arm(OURS, "instruction first", shorter, query_once_tokens(first_groups), queries)
    for peer, make, size, recompute in _peers(bench, asked):
        groups = exact if peer == "transformers" else pairs
        setting = f"{size} at once, {'gradient checkpointing' if recompute else 'all activations kept'}"
        seed = peer == "FlagEmbedding" and (size, recompute) == FLAG[0]
        yield Arm(peer, setting, build(make, groups, size, reference), tokens, queries, seed)
    if bench.device.type == "cuda":
        make = build(partial(ours.reranker_trainer, bench.base, fp8=True), exact, queries, reference)
        yield Arm(OURS, "exact, frozen weights in 8 bits", make, tokens, queries, alone=True)


def _peers(bench: Bench, asked: list[int]) -> Iterator[tuple]:
    if installed("FlagEmbedding"):
        from benchmarks.peers import flagembedding as flag

        make = partial(flag.reranker_trainer, bench.base, bench.tokenizer, asked, bench.work)
        for size, recompute in FLAG:
            yield "FlagEmbedding", partial(make, recompute=recompute), size, recompute
    for size, recompute in OTHER:
        yield "transformers", partial(_plain, bench, recompute), size, recompute


def _plain(bench: Bench, recompute: bool) -> Trainer:
    return plain.reranker_trainer(bench.base, recompute=recompute)


if __name__ == "__main__":
    main(run, "train_reranker")
