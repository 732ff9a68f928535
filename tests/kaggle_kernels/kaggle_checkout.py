"""Makes what a trained checkout holds: models and kernel folders, small, with nothing real in them but their form."""

import json
import random
from pathlib import Path

import numpy as np
import polars as pl

from inference.retrieval.catalogue_vectors import VECTORS_FILE, store_vectors
from shared.artifacts.manifest import write_manifest
from shared.task.tables import MISCONCEPTIONS

ROOT = Path(__file__).parents[2]


def failure(outcome) -> str:
    """The sentence of a command that failed."""
    assert outcome.code == 1, outcome
    return outcome.err.splitlines()[-1]


def rewrite(path: Path, **changes) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def make_run(run: Path, draw: random.Random, size: int = 3000) -> None:
    """A trained run: both merged models, the misconceptions, and their vectors as if the embedder had made them."""
    for role in ("embedder", "reranker"):
        make_model(run / f"merge_{role}", draw, size)
    misconceptions = pl.DataFrame(
        {"misconception_id": [7, 3, 5], "text": ["a", "b", "c"]}, schema=MISCONCEPTIONS.schema
    )
    MISCONCEPTIONS.write(misconceptions, run / "prepare")
    make_vectors(run)


def make_vectors(run: Path) -> None:
    misconceptions = MISCONCEPTIONS.read(run / "prepare")
    path = run / "merge_embedder_vectors" / VECTORS_FILE
    store_vectors(np.eye(3, 4, dtype=np.float32), misconceptions, run / "merge_embedder", path)


def make_model(folder: Path, draw: random.Random, size: int = 3000) -> None:
    """A merged model as merge writes it, of which nothing but the safetensors file's form is real."""
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(safetensors(draw.randbytes(size)))
    (folder / "config.json").write_text(json.dumps({"hidden_size": draw.randrange(1000)}), encoding="utf-8")
    (folder / "1_Pooling/config.json").write_text(json.dumps({"of": folder.name}), encoding="utf-8")
    empty = "vocab.txt" if "embedder" in folder.name else "merges.txt"  # an empty file must travel too
    (folder / empty).write_text("", encoding="utf-8")
    (folder / "card.json").write_text(
        json.dumps({"examples": [[1, 2, {"query": folder.name, "answer": "a"}]]}), encoding="utf-8"
    )
    write_manifest(folder, {"stage": folder.name, "base": "BAAI/bge-en-icl", "iteration": "iter1"})


def safetensors(data: bytes, metadata: dict | None = None) -> bytes:
    """A file with one tensor of bytes."""
    header = {
        "__metadata__": metadata or {},
        "t": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]},
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def make_kernel(folder: Path, internet: bool) -> None:
    """A kernel folder with every field written."""
    folder.mkdir(parents=True)
    name = "wheels" if internet else "submit"
    metadata = {
        "id": f"malrule-{name}",
        "title": f"malrule {name}",
        "code_file": "kernel.py",
        "language": "python",
        "kernel_type": "script",
    }
    metadata |= {
        "is_private": True,
        "enable_gpu": True,
        "enable_tpu": False,
        "enable_internet": internet,
        "machine_shape": "NvidiaTeslaT4",
    }
    metadata |= {
        "docker_image": "gcr.io/kaggle-private-byod/python@sha256:" + "1" * 64,
        "docker_image_pinning_type": "original",
    }
    sources = [] if internet else ["malrule-code", "malrule-{tag}-embedder", "malrule-{tag}-reranker"]
    metadata |= {
        "dataset_sources": sources,
        "kernel_sources": [] if internet else ["malrule-wheels"],
        "model_sources": [],
    }
    metadata["competition_sources"] = [] if internet else ["eedi-mining-misconceptions-in-mathematics"]
    (folder / "kernel-metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    (folder / "kernel.py").write_text("SOURCES = {}\nLOCK = ''\nprint(SOURCES)\n", encoding="utf-8")
    if internet:
        (folder / "requirements.txt").write_text(f"vllm==0.1 \\\n    --hash=sha256:{'1' * 64}\n", encoding="utf-8")
