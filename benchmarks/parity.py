"""Says how far the engines are apart on one model with real weights: in 32 bits on a CPU, in 16 bits on a GPU.

python -m benchmarks.parity --shape 1.5b --dtype bfloat16 [--out FILE.json]      (float16, and float32 without a GPU)

Prompts are of the real lengths, 25 candidates a query. Each way is compared with the first, prompt by prompt: engine hf
with every prompt apart. Weights are random and seeded, so scores are closer together than a trained model's, and ranks
harder to keep.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
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


def ways(profile: Profile) -> Iterator[tuple[str, str, Profile, int]]:
    """(name, engine, profile, prompts of a call; 0: all): the first is what all are compared with."""
    yield "hf, every prompt apart", "hf", profile.model_copy(update={"packed": False}), 1
    yield "hf, what is alike shared", "hf", profile, 0
    yield "vllm, what is alike shared", "vllm", profile, 0
    yield "vllm, in other company", "vllm", profile, 7


def compare_scores(folder: Path, rows: Rows, group: int, profile: Profile) -> dict[str, dict[str, float]]:
    """Largest and mean difference of a logit, Kendall's tau within a query, how often the best candidate stays."""
    found, reference = {}, None
    for name, engine, machine, size in ways(profile):
        with open_scorer(engine, folder, machine) as scorer:
            scores = np.empty(len(rows), np.float32)
            for part in _calls(len(rows), size):
                scores[part] = scorer.score([rows[row] for row in part])
        reference = scores if reference is None else reference
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
    found, reference = {}, None
    for name, engine, machine, size in ways(profile):
        with open_encoder(engine, folder, "last", machine) as encoder:
            parts = [(part, encoder.encode([rows[row] for row in part])) for part in _calls(len(rows), size)]
        vectors = np.empty((len(rows), parts[0][1].shape[1]), np.float32)
        for part, values in parts:
            vectors[part] = values
        reference = vectors if reference is None else reference
        found[name] = {"least_cosine": float((vectors * reference).sum(1).min())}
        print(name, found[name], flush=True)
    return found


def _calls(count: int, size: int) -> list[list[int]]:
    """All rows in one call; or so many a call, in an order that tears the queries apart."""
    if not size:
        return [list(range(count))]
    mixed = np.random.default_rng(1).permutation(count).tolist()
    return [mixed[start : start + size] for start in range(0, count, size)]


if __name__ == "__main__":
    main()
