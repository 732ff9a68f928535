"""Measures serving: a query's 25 candidates reranked, queries embedded behind one example; vLLM, our engine, peers.

HF_HUB_OFFLINE=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \\
    python -m benchmarks.infer --shape 14b --out DIR --seconds 540 [--stages rerank,embed] [--gpus 2] \\
        [--arms "vLLM|transformers"]

Everything has to be over after --seconds, loading included; DIR/rerank.json and DIR/embed.json hold what was measured
so far at any moment. With --gpus 2 vLLM alone is measured, one copy against one on each GPU.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch

from benchmarks import mine, score
from benchmarks.harness.arms import free
from benchmarks.harness.bench import ARMS, Bench, device_name, is_wanted, opened, read, run_stage, versions
from benchmarks.harness.results import OURS, Arm, Ready
from benchmarks.inputs.shapes import SHAPES, write_without_weights
from benchmarks.inputs.workload import (
    draw_mining,
    draw_pairs,
    exact_group,
    instruction,
    instruction_first_group,
    mining_rows,
    query_once_tokens,
    rows_of,
    trie_tokens,
)
from inference.engines.open import Opening
from inference.engines.replicas import Replicas, open_replicas
from inference.machine.profiles import Profile, load_profile

CANDIDATES_PER_QUERY = 25
ARCHITECTURES = {"rerank": "Qwen2ForSequenceClassification", "embed": "Qwen2ForCausalLM"}
BLOCK_TOKENS = 16  # vLLM shares as many together or none of them, on a GPU.
MEMORY_SHARE_BESIDE = 0.45  # vLLM gets as much of the GPU's memory where the peers' model lies beside it.
ROUNDS, MOST_PASSES = 2, 10
TIME_SHARES = {"rerank": 0.65, "embed": 0.35}  # A peer takes 15 s to rerank and 8 s to embed.

Rows = Sequence[Sequence[int]]


def main() -> None:
    chosen = _arguments()
    deadline, names = time.monotonic() + chosen.seconds, chosen.stages.split(",")
    chosen.out.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        share = TIME_SHARES[name] / sum(TIME_SHARES[later] for later in names[place:])
        end = time.monotonic() + (deadline - time.monotonic()) * share
        (measure_one if chosen.gpus == 1 else measure_several)(name, chosen, end)


def measure_one(name: str, chosen: argparse.Namespace, end: float) -> None:
    """One stage on one GPU: vLLM, which is opened first, then the model that all others compute with."""
    works = work_of(name, chosen.shape, 64 if name == "rerank" else 512)
    works = [work for work in works if is_wanted(OURS, f"vLLM, {work[0]}", chosen.arms)]
    with (
        _engine(name, chosen.shape, 1, MEMORY_SHARE_BESIDE) if works else nullcontext() as engine,
        opened(chosen.shape, chosen.arms) as bench,
    ):
        arms = [*vllm_arms(name, works, engine), *peers(name, bench)]
        run_stage(bench, name, arms, train=False, seconds=end - time.monotonic(), out=chosen.out / f"{name}.json")
        free(bench.device)


def vllm_arms(name: str, works: Sequence[tuple[str, Rows, int]], engine: Replicas | None) -> Iterator[Arm]:
    """vLLM's weights are made up, so its numbers are not compared; benchmarks/parity.py does so with real ones."""
    for setting, rows, tokens in works:
        extra = blockwise(rows, BLOCK_TOKENS) / trie_tokens(rows) - 1
        print(f"{name}, {setting}: {extra:.1%} more tokens than need be, by whole blocks", flush=True)
        ready = Ready(Fresh(engine, rows), Fresh(engine, rows[: len(rows) // 8]), share=1 / 8, check=dict)
        yield Arm(OURS, f"vLLM, {setting}", lambda ready=ready: ready, tokens, len(rows))


class Fresh:
    """Scores rows of the same lengths and beginnings, but other tokens, every time: vLLM remembers what it has seen."""

    def __init__(self, engine: Replicas, rows: Rows):
        self.engine, self.passes = engine, [_shift(rows, place) for place in range(MOST_PASSES)]

    def __call__(self) -> np.ndarray:
        return self.engine.score(self.passes.pop())


def _shift(rows: Rows, by: int) -> list[list[int]]:
    """The same rows in other words; none is what another shift, or a part of the rows, gives."""
    words = max(map(max, rows)) + 1
    return [[(id_ + 7919 * by + len(rows)) % words for id_ in row] for row in rows]


def peers(name: str, bench: Bench) -> list[Arm]:
    """The peers, then our own engine, which compiles for a minute. The few passages of embedding do not count."""
    arms = (
        score.arms(bench, CANDIDATES_PER_QUERY, fp8=False)
        if name == "rerank"
        else mine.arms(bench, 8, mine.BATCHES[1:])
    )
    return sorted(arms, key=lambda arm: arm.side == OURS)


def work_of(name: str, shape_name: str, queries: int) -> list[tuple[str, Rows, int]]:
    """(what it is, its rows, the tokens that have to be computed once) of the very work that the peers get."""
    shape = SHAPES[shape_name]
    if name == "embed":
        rows = mining_rows(draw_mining(shape.vocabulary, 16 if shape_name == "tiny" else queries, 8, seed=41))[0]
        return [("behind an example", rows, trie_tokens(rows))]
    queries, passages = (8, 4) if shape_name == "tiny" else (queries, CANDIDATES_PER_QUERY)
    pairs, asked = draw_pairs(shape.vocabulary, queries, passages, seed=21), instruction(shape.vocabulary)
    exact, first = ([make(pair, asked) for pair in pairs] for make in (exact_group, instruction_first_group))
    flat = [[row for group in groups for row in rows_of(group)] for groups in (exact, first)]
    return [
        ("exact", flat[0], query_once_tokens(exact)),
        ("instruction first + trie of siblings", flat[1], trie_tokens(flat[1])),
    ]


def blockwise(rows: Rows, block: int) -> int:
    """Tokens that are computed when only whole blocks are shared, and of every row at least the last one."""
    known: set[tuple[int, ...]] = set()
    total = 0
    for row in sorted(rows):
        ends = range(block, len(row) + 1, block)
        shared = next((end - block for end in ends if tuple(row[:end]) not in known), len(row) // block * block)
        total += len(row) - min(shared, (len(row) - 1) // block * block)
        known.update(tuple(row[:end]) for end in ends)
    return total


def measure_several(name: str, chosen: argparse.Namespace, end: float) -> None:
    """One stage on several GPUs: a copy of vLLM on each, of which one works, then all, then one."""
    setting, rows, tokens = work_of(name, chosen.shape, 256 if name == "rerank" else 4096)[0]
    with _engine(name, chosen.shape, chosen.gpus, None) as engine:
        Fresh(engine, rows[: len(rows) // 4])()  # warm
        one, many = Fresh(Replicas(engine.replicas[:1], engine.least), rows), Fresh(engine, _shift(rows, 1000))
        alone, together = [_seconds(one)], []
        for _ in range(ROUNDS):
            together.append(_seconds(many))
            alone.append(_seconds(one))
            if time.monotonic() + alone[0] > end:
                break
    found = {
        "stage": name,
        "setting": f"vLLM, {setting}",
        "shape": chosen.shape,
        "device": device_name(torch.device("cuda" if torch.cuda.is_available() else "cpu")),
        "versions": versions(),
        "processes": chosen.gpus,
        "items": len(rows),
        "tokens": tokens,
        "seconds_alone": alone,
        "seconds_together": together,
        "speedup": statistics.median(alone) / statistics.median(together),
    }
    (chosen.out / f"{name}_gpus.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1), flush=True)


def _seconds(work: Callable[[], np.ndarray]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def _engine(name: str, shape_name: str, count: int, share: float | None) -> Iterator[Replicas]:
    """vLLM with made-up weights in processes of its own, as the profile of such a GPU runs it."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        write_without_weights(SHAPES[shape_name], Path(folder), ARCHITECTURES[name])
        opening = Opening("vllm", Path(folder), None if name == "rerank" else "last", _profile(share))
        with open_replicas(opening, count) as engine:
            print(f"vLLM, {count} x {shape_name}, started in {time.monotonic() - start:.1f} s", flush=True)
            yield engine


def _profile(share: float | None) -> Profile:
    name = "cpu_bf16"
    if torch.cuda.is_available():
        name = "h200" if torch.cuda.get_device_properties(0).total_memory > 100 * 2**30 else "h100"
    changes = {"weights": "dummy", **({"memory_share": share} if share else {})}
    return load_profile(name).model_copy(update=changes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures serving side by side with the peers that are installed.")
    parser.add_argument("--shape", choices=SHAPES, default="14b")
    parser.add_argument("--seconds", type=float, default=540.0, help="for all, loading included")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--stages", default="rerank,embed")
    parser.add_argument("--arms", **ARMS)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    return read(parser)


if __name__ == "__main__":
    main()
