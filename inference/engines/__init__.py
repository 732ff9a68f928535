"""What an engine is: an Encoder turns prompts into vectors, a Scorer turns prompts into logits of "Yes".

`open_encoder` and `open_scorer` are context managers: one engine is in memory at a time, and leaving gives it back.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from inference.engines.replicas import Opening, open_replicas, visible_gpus
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
    """The model in `folder` as an Encoder, in as many processes as the profile says."""
    if count := count_processes(profile):
        with open_replicas(Opening(engine, folder, pooling, profile), count) as replicas:
            yield replicas
    else:
        with backend(engine).open_encoder(folder, pooling, profile) as encoder:
            yield encoder


@contextmanager
def open_scorer(engine: Engine, folder: Path, profile: Profile) -> Iterator[Scorer]:
    """The merged reranker in `folder` as a Scorer, likewise. Raises ValueError where its head is still whole."""
    _check_head(folder)
    if count := count_processes(profile):
        with open_replicas(Opening(engine, folder, None, profile), count) as replicas:
            yield replicas
    else:
        with backend(engine).open_scorer(folder, profile) as scorer:
            yield scorer


def count_processes(profile: Profile) -> int:
    """Processes that an engine starts; 0: this one does the work, as every process of torchrun does."""
    if "WORLD_SIZE" in os.environ:
        return 0
    count = profile.replicas or max(len(visible_gpus()) // profile.tensor_parallel, 1)
    return 0 if count * profile.tensor_parallel == 1 else count


def backend(engine: Engine):
    """The module of an engine: heavy, loaded only when it is used."""
    if engine == "vllm":
        from inference.engines import vllm as module
    else:
        from inference.engines import hf as module
    return module


def _check_head(folder: Path) -> None:
    """A whole head would be passed over, and random numbers would take its place, with a warning only."""
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    if not name.endswith("ForSequenceClassification"):
        raise ValueError(
            f'{folder} holds a {name}, not a reranker with the row of "Yes" for its head: merge_reranker makes one '
            "(./just clean stage=merge_reranker deletes an old one)"
        )
