"""What an engine is: an Encoder turns prompts into vectors, a Scorer turns prompts into logits of "Yes".

`open_encoder` and `open_scorer` are context managers: one engine is in memory at a time, and leaving gives it back.
"""

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
    def score(self, prefixes: Sequence[Sequence[int]], suffixes: Sequence[Sequence[Sequence[int]]]) -> np.ndarray:
        """Logits of "Yes" [total] float32 behind prefixes[i] + suffixes[i][j], i slow and j fast."""


@contextmanager
def open_encoder(engine: Engine, folder: Path, pooling: Pooling, profile: Profile) -> Iterator[Encoder]:
    """The model in `folder` as an Encoder."""
    with _backend(engine).open_encoder(folder, pooling, profile) as encoder:
        yield encoder


@contextmanager
def open_scorer(engine: Engine, folder: Path, profile: Profile) -> Iterator[Scorer]:
    """The causal language model in `folder` as a Scorer."""
    with _backend(engine).open_scorer(folder, profile) as scorer:
        yield scorer


def _backend(engine: Engine):
    if engine == "vllm":
        from inference.engines import vllm as module  # heavy: loaded only when it is used
    else:
        from inference.engines import hf as module
    return module
