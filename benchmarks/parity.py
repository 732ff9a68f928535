"""Says how far the engines are apart on one model with real weights: in 32 bits on a CPU, in 16 bits on a GPU.

python -m benchmarks.parity --shape 1.5b --dtype bfloat16 [--out FILE.json]      (float16, and float32 without a GPU)

Prompts are of the real lengths, 25 candidates a query. Each way is compared with the first, prompt by prompt: engine hf
with every prompt apart. Weights are random and seeded, so scores are closer together than a trained model's, and ranks
harder to keep.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from benchmarks.bench import device_name, versions
from benchmarks.infer import work_of
from benchmarks.shapes import SHAPES, YES, build, write_tokenizer
from inference.engines import open_encoder, open_scorer
from inference.profiles import Profile, load_profile
from shared.metrics import kendall_tau
from training.head import keep_yes_alone

Rows = Sequence[Sequence[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares the engines' scores and vectors.")
    parser.add_argument("--shape", choices=SHAPES, default="1.5b")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="bfloat16")
    parser.add_argument("--queries", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("parity.json"))
    chosen = parser.parse_args()
    name = "h200" if torch.cuda.is_available() else "cpu"
    profile = load_profile(name).model_copy(update={"dtype": chosen.dtype, "replicas": 1, "memory_share": 0.5})
    found = {"shape": chosen.shape, "dtype": chosen.dtype, "versions": versions()}
    found["device"] = device_name(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    with tempfile.TemporaryDirectory() as place:
        folder = write_model(chosen.shape, Path(place))
        found["vectors"] = compare_vectors(folder, work_of("embed", chosen.shape, chosen.queries)[0][1], profile)
        keep_yes_alone(folder, YES)
        _, rows, _ = work_of("rerank", chosen.shape, chosen.queries)[0]
        found["scores"] = compare_scores(folder, rows, len(rows) // groups_of(chosen), profile)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def groups_of(chosen: argparse.Namespace) -> int:
    """Queries: the smallest shape has fewer."""
    return min(chosen.queries, 8) if chosen.shape == "tiny" else chosen.queries


def write_model(shape_name: str, folder: Path) -> Path:
    """Random weights of the shape on the disk, in 16 bits, with a tokenizer."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    build(SHAPES[shape_name], device, torch.bfloat16).save_pretrained(folder)
    write_tokenizer(SHAPES[shape_name], folder)
    return folder


def ways(profile: Profile) -> Iterator[tuple[str, Profile, dict[str, int]]]:
    """(engine, profile, {name: prompts of a call; 0: all}): all are compared with the very first."""
    yield "hf", profile.model_copy(update={"packed": False}), {"hf, every prompt apart": 1}
    yield "hf", profile, {"hf, what is alike shared": 0}
    yield "vllm", profile, {"vllm, what is alike shared": 0, "vllm, in other company": 7}


def compare_scores(folder: Path, rows: Rows, group: int, profile: Profile) -> dict[str, dict[str, float]]:
    """Largest and mean difference of a logit, Kendall's tau within a query, how often the best candidate stays."""

    @contextmanager
    def opened(engine: str, machine: Profile) -> Iterator[tuple[object, Callable]]:
        with open_scorer(engine, folder, machine) as scorer:
            yield scorer, scorer.score

    answers = _answers(opened, rows, profile)
    reference, found = next(iter(answers.values())), {}
    for name, scores in answers.items():
        pairs = list(zip(reference.reshape(-1, group), scores.reshape(-1, group), strict=True))
        found[name] = {
            "max_difference": float(np.abs(scores - reference).max()),
            "mean_difference": float(np.abs(scores - reference).mean()),
            "spread": float(np.mean([one.std() for one, _ in pairs])),
            "kendall_tau": float(np.mean([kendall_tau(one, other) for one, other in pairs])),
            "same_best": float(np.mean([one.argmax() == other.argmax() for one, other in pairs])),
        }
        print(name, found[name], flush=True)
    return found


def compare_vectors(folder: Path, rows: Rows, profile: Profile) -> dict[str, dict[str, float]]:
    """The least cosine of a prompt's two vectors."""

    @contextmanager
    def opened(engine: str, machine: Profile) -> Iterator[tuple[object, Callable]]:
        with open_encoder(engine, folder, "last", machine) as encoder:
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
            for name, size in sizes.items():
                if engine == "vllm":
                    model.engine.llm.reset_prefix_cache()
                parts = [(part, say([rows[row] for row in part])) for part in _calls(len(rows), size)]
                values = np.empty((len(rows), *parts[0][1].shape[1:]), np.float32)
                for part, answer in parts:
                    values[part] = answer
                answers[name] = values
    return answers


def _calls(count: int, size: int) -> list[list[int]]:
    """All rows in one call; or so many a call, in an order that tears the queries apart."""
    if not size:
        return [list(range(count))]
    mixed = np.random.default_rng(1).permutation(count).tolist()
    return [mixed[start : start + size] for start in range(0, count, size)]


if __name__ == "__main__":
    main()
