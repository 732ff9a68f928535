"""Says how far the engines are apart on one model with real weights: in 32 bits on a CPU, in 16 bits on a GPU.

    python -m benchmarks.parity --shape 1.5b --dtype bfloat16 [--out FILE.json]   (float16, and float32 without a GPU)
    python -m benchmarks.parity --run runs/small0/cv --queries 200                     the same of a run's own models

Each way is compared with the first, prompt by prompt: engine hf in 32 bits with every prompt apart. Prompts are of the
real lengths, 25 candidates a query, or with --run the validation fold's own. A shape's weights are random and seeded,
so scores are closer together than a trained model's, and ranks harder to keep.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from benchmarks.harness.bench import device_name, versions
from benchmarks.infer import CANDIDATES_PER_QUERY, work_of
from benchmarks.inputs.shapes import SHAPES, YES, build, write_tokenizer
from inference.engines.open import open_encoder, open_scorer
from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.machine.profiles import Profile, load_profile
from inference.reranking.kinds import prompts_of
from inference.retrieval.retrieve import query_prompts
from shared.artifacts.card import read_embedder_card
from shared.prompts.embedder import Pooling
from shared.prompts.query import Written, query_of
from shared.settings.load import read_settings
from shared.task.current import TASK
from shared.task.folds import labelled_queries
from shared.task.metrics import kendall_tau
from shared.task.tables import CANDIDATES
from training.export.classifier_head import keep_yes_alone
from training.run_folder.stage_context import StageContext

Rows = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Pairs:
    """What a reranker scores: the rows, and where the right candidate stands among those of each query, -1: nowhere."""

    rows: Rows
    right: Sequence[int]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares the engines' scores and vectors.")
    parser.add_argument("--shape", choices=SHAPES, default="1.5b")
    parser.add_argument("--run", type=Path, help="a run's merged models and validation fold instead of a shape")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="bfloat16")
    parser.add_argument("--queries", type=int, default=16)
    parser.add_argument("--memory-share", type=float, default=0.5, help="of the GPU, for vLLM")
    parser.add_argument("--out", type=Path, default=Path("parity.json"))
    chosen = parser.parse_args()
    name = "h200" if torch.cuda.is_available() else "cpu"
    changes = {"dtype": chosen.dtype, "replicas": 1, "memory_share": chosen.memory_share}
    profile = load_profile(name).model_copy(update=changes)
    found = {"of": str(chosen.run or chosen.shape), "dtype": chosen.dtype, "versions": versions()}
    found["device"] = device_name(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    found |= (
        of_run(chosen.run, chosen.queries, profile) if chosen.run else of_shape(chosen.shape, chosen.queries, profile)
    )
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def of_shape(shape_name: str, queries: int, profile: Profile) -> dict:
    """The comparisons for random weights."""
    queries = min(queries, 8) if shape_name == "tiny" else queries  # the smallest shape has fewer
    with tempfile.TemporaryDirectory() as place:
        folder = write_model(shape_name, Path(place))
        vectors = compare_vectors(folder, work_of("embed", shape_name, queries)[0][1], "last", profile)
        keep_yes_alone(folder, YES)
        _, rows, _ = work_of("rerank", shape_name, queries)[0]
        return {"vectors": vectors, "scores": compare_scores(folder, Pairs(rows, [-1] * queries), profile)}


def of_run(run: Path, queries: int, profile: Profile) -> dict:
    """The comparisons for the first `queries` of the run's validation fold."""
    context = StageContext(read_settings(run), run, Path(), "")
    table, misconceptions = context.texts()
    asked = labelled_queries(table, "valid")[:queries]
    embedder, reranker = run / "merge_embedder", run / "merge_reranker"
    card = read_embedder_card(embedder)
    prompts = query_prompts(asked, embedder_words(load_tokenizer(embedder)), card)
    near = context.read(CANDIDATES, "mine_for_reranker").filter(pl.col("rank") <= CANDIDATES_PER_QUERY)
    pairs = _pairs(asked, dict(misconceptions.iter_rows()), near, reranker)
    vectors = compare_vectors(embedder, prompts, card.pooling, profile)
    return {"vectors": vectors, "scores": compare_scores(reranker, pairs, profile)}


def _pairs(asked: pl.DataFrame, texts: dict[int, str], near: pl.DataFrame, folder: Path) -> Pairs:
    make = prompts_of(folder)
    rows, right = [], []
    for query in asked.iter_rows(named=True):
        shown = near.filter(pl.col("query_id") == query["query_id"]).sort("rank")["misconception_id"].to_list()
        rows += make(query_of(query), [Written(texts[id_]) for id_ in shown])
        right.append(shown.index(query["misconception_id"]) if query["misconception_id"] in shown else -1)
    return Pairs(rows, right)


def write_model(shape_name: str, folder: Path) -> Path:
    """Random weights of the shape on the disk, in 16 bits, with a tokenizer."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    build(SHAPES[shape_name], device, torch.bfloat16).save_pretrained(folder)
    write_tokenizer(SHAPES[shape_name], folder)
    return folder


def ways(profile: Profile) -> Iterator[tuple[str, Profile, dict[str, int]]]:
    """(engine, profile, {name: prompts of a call; 0: all}): all are compared with the very first."""
    apart = profile.model_copy(update={"packed": False})
    yield "hf", apart.model_copy(update={"dtype": "float32"}), {"hf in 32 bits, every prompt apart": 1}
    if profile.dtype != "float32":
        yield "hf", apart, {"hf, every prompt apart": 1}
    yield "hf", profile, {"hf, what is alike shared": 0}
    yield "vllm", profile, {"vllm, what is alike shared": 0, "vllm, in other company": 7}


def compare_scores(folder: Path, pairs: Pairs, profile: Profile) -> dict[str, dict[str, float]]:
    """Differences of a logit, then of ranks: Kendall's tau, how often the first is the same, places with another id."""

    @contextmanager
    def opened(engine: str, machine: Profile) -> Iterator[tuple[object, Callable]]:
        with open_scorer(engine, folder, machine) as scorer:
            yield scorer, scorer.score

    answers = _answers(opened, pairs.rows, profile)
    queries, found = len(pairs.right), {}
    reference_QC = next(iter(answers.values())).reshape(queries, -1)
    for name, scores in answers.items():
        scores_QC = scores.reshape(queries, -1)
        orders = [(-one).argsort(axis=1, kind="stable") for one in (reference_QC, scores_QC)]
        found[name] = {
            "max_difference": float(np.abs(scores_QC - reference_QC).max()),
            "mean_difference": float(np.abs(scores_QC - reference_QC).mean()),
            "spread": float(reference_QC.std(axis=1).mean()),
            "kendall_tau": float(np.mean([kendall_tau(*both) for both in zip(reference_QC, scores_QC, strict=True)])),
            "same_best": float((orders[0][:, 0] == orders[1][:, 0]).mean()),
            "places_moved": float((orders[0] != orders[1]).mean()),
        }
        if max(pairs.right) >= 0:
            found[name][TASK.metric.key] = _figure(orders[1], pairs.right)
        print(name, found[name], flush=True)
    return found


def _figure(orders_QC: np.ndarray, right: Sequence[int]) -> float:
    """The metric of these orders; a query whose right candidate was not retrieved counts 0."""
    ranks = [
        1 + order.tolist().index(place) if place >= 0 else np.inf for order, place in zip(orders_QC, right, strict=True)
    ]
    metric = TASK.metric
    return float(metric.of_ranks(np.array(ranks)[:, None], np.ones(len(ranks)), metric.depth).mean())


def compare_vectors(folder: Path, rows: Rows, pooling: Pooling, profile: Profile) -> dict[str, dict[str, float]]:
    """The least cosine of a prompt's two vectors."""

    @contextmanager
    def opened(engine: str, machine: Profile) -> Iterator[tuple[object, Callable]]:
        with open_encoder(engine, folder, pooling, machine) as encoder:
            yield encoder, encoder.encode

    answers = _answers(opened, rows, profile)
    reference = next(iter(answers.values()))
    found = {name: {"least_cosine": float((vectors * reference).sum(1).min())} for name, vectors in answers.items()}
    print(found, flush=True)
    return found


def _answers(opened: Callable, rows: Rows, profile: Profile) -> dict[str, np.ndarray]:
    """{name of a way: what it says of every row}."""
    answers = {}
    for engine, machine, sizes in ways(profile):
        with opened(engine, machine) as (model, say):
            forget = model.engine.llm.reset_prefix_cache if engine == "vllm" else lambda: None
            for name, size in sizes.items():
                forget()
                answers[name] = _say_all(say, rows, size)
    return answers


def _say_all(say: Callable[[Rows], np.ndarray], rows: Rows, size: int) -> np.ndarray:
    """What a model says of every row, [N, ...], asked for `size` rows a call."""
    parts = [(part, say([rows[row] for row in part])) for part in _calls(len(rows), size)]
    values = np.empty((len(rows), *parts[0][1].shape[1:]), np.float32)
    for part, answer in parts:
        values[part] = answer
    return values


def _calls(count: int, size: int) -> list[list[int]]:
    """All rows in one call; or so many a call, in an order that tears the queries apart."""
    if not size:
        return [list(range(count))]
    mixed = np.random.default_rng(1).permutation(count).tolist()
    return [mixed[start : start + size] for start in range(0, count, size)]


if __name__ == "__main__":
    main()
