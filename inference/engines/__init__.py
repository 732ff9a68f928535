"""What an engine is: an Encoder turns prompts into vectors, a Scorer turns prompts into logits of "Yes".

`open_encoder` and `open_scorer` are context managers: one engine is in memory at a time, and leaving gives it back.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from inference.profiles import Profile
from shared.settings import Engine, Pooling


class Encoder(Protocol):
    def encode(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
        """Unit vectors [N, D] float32 of N prompts (token ids), in their order."""


class Scorer(Protocol):
    def score(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits of "Yes" [N] float32 behind N prompts (token ids), in their order.

        Prompts of one call share what they begin with: give whole queries, and all that there are.
        """


@contextmanager
def open_encoder(engine: Engine, folder: Path, pooling: Pooling, profile: Profile) -> Iterator[Encoder]:
    """The model in `folder` as an Encoder."""
    with _backend(engine).open_encoder(folder, pooling, profile) as encoder:
        yield encoder


@contextmanager
def open_scorer(engine: Engine, folder: Path, profile: Profile) -> Iterator[Scorer]:
    """The merged reranker in `folder` as a Scorer. Raises ValueError for a model whose head was not cut down."""
    _check_head(folder)
    with _backend(engine).open_scorer(folder, profile) as scorer:
        yield scorer


def _check_head(folder: Path) -> None:
    """A whole head would be passed over, and random numbers would take its place, with a warning only."""
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    if not name.endswith("ForSequenceClassification"):
        raise ValueError(
            f'{folder} holds a {name}, not a reranker with the row of "Yes" for its head: merge_reranker makes one '
            "(./just clean stage=merge_reranker deletes an old one)"
        )


def _backend(engine: Engine):
    if engine == "vllm":
        from inference.engines import vllm as module  # heavy: loaded only when it is used
    else:
        from inference.engines import hf as module
    return module
