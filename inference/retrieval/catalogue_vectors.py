"""Keeps the vectors of a catalogue of misconceptions beside the embedder that made them, for the kernel to read.

They are stored in float32, as computed: 53 MB for Qwen2.5-14B (2,587 x 5,120), beside 30 GB, buy the ranks of a fresh
encoding. float16 moved 64 of 4,500 places of the demo, and 98 of 25,000 of the competition's with all-MiniLM-L6-v2.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from inference.engines.open import open_encoder
from inference.engines.protocols import Encoder
from inference.machine.profiles import Profile
from inference.retrieval.descriptions import described
from shared.artifacts import manifest
from shared.artifacts.card import EmbedderCard, read_embedder_card
from shared.artifacts.files import replacing
from shared.prompts.embedder import embedder_passage
from shared.prompts.query import misconception_of
from shared.prompts.words import Words
from shared.settings.sections import Engine

VECTORS_FILE = (
    "misconceptions.vectors"  # in safetensors' format; vLLM takes every *.safetensors of a folder for weights
)


def write_vectors(
    misconceptions: pl.DataFrame, embedder: Path, path: Path, *, engine: Engine, profile: Profile
) -> None:
    """Encode `misconceptions` with the merged model in `embedder` and write `path`, which is whole or does not change.

    Raises ValueError where `embedder` has no manifest: without it nobody could tell whose vectors these are.
    """
    from inference.engines.tokenizer import (  # imports transformers, which readers do not need
        embedder_words,
        load_tokenizer,
    )

    card, words = read_embedder_card(embedder), embedder_words(load_tokenizer(embedder))
    with open_encoder(engine, embedder, card.pooling, profile) as encoder:
        vectors = encode_misconceptions(described(misconceptions, embedder), encoder, words, card)
    store_vectors(vectors, misconceptions, embedder, path)


def store_vectors(vectors: np.ndarray, misconceptions: pl.DataFrame, embedder: Path, path: Path) -> None:
    """Write `path` from the unit vectors [N, D] float32 that `embedder` made of the rows, in their order."""
    ids, made_from = misconceptions["misconception_id"].to_numpy(), _made_from(misconceptions, embedder)
    order = np.argsort(ids)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {"ids": ids[order], "vectors": np.ascontiguousarray(vectors[order], np.float32)}
    with replacing(path) as partial:  # one key of metadata: several have no fixed order
        save_file(tensors, partial, metadata={"made_from": json.dumps(made_from)})


def encode_misconceptions(
    misconceptions: pl.DataFrame, encoder: Encoder, words: Words, card: EmbedderCard
) -> np.ndarray:
    """Unit vectors [N, D] float32 of the rows, in their order."""
    return encoder.encode(
        [embedder_passage(words, card.prompt, misconception_of(row)) for row in misconceptions.iter_rows(named=True)]
    )


def read_vectors(misconceptions: pl.DataFrame, embedder: Path) -> np.ndarray | None:
    """Unit vectors [N, D] float32 of the rows, in their order, from `embedder`; None if it has none that fit.

    One line says that vectors are used or why they are not; a folder without any, as in training, needs no word.
    """
    from inference.engines.distributed import rank  # imports torch

    path = embedder / VECTORS_FILE
    unfit = misfit(misconceptions, embedder, path)
    if rank() == 0 and path.is_file():
        how = f"encoded here, {unfit}" if unfit else f"not encoded, {path} has their vectors"
        print(f"{len(misconceptions):,} misconceptions are {how}", flush=True)
    if unfit:
        return None
    with safe_open(path, "numpy") as file:
        ids, vectors = file.get_tensor("ids"), file.get_tensor("vectors")
    return vectors[np.searchsorted(ids, misconceptions["misconception_id"].to_numpy())]


def misfit(misconceptions: pl.DataFrame, embedder: Path, path: Path) -> str:
    """Why the vectors in `path` are not those of `misconceptions` by `embedder`; "" if they are."""
    if not path.is_file():
        return f"there is no {path}"
    try:
        with safe_open(path, "numpy") as file:
            said = json.loads((file.metadata() or {})["made_from"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no file of vectors ({error}): delete it, or push the embedder again") from None
    here = _made_from(misconceptions, embedder)
    other = [part for part in here if said.get(part) != here[part]]
    return f"{path} was made from another {' and another '.join(other)}" if other else ""


def _made_from(misconceptions: pl.DataFrame, embedder: Path) -> dict[str, str]:
    """SHA-256 of ids and texts, whatever their order, and of what else is in the folder: weights, card, tokenizer."""
    files = {name: facts for name, facts in manifest.read_manifest(embedder)["files"].items() if name != VECTORS_FILE}
    rows = misconceptions.select("misconception_id", "text").sort("misconception_id").rows()
    return {"catalogue": _digest(rows), "embedder": _digest(files)}


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
