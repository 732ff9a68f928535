"""Opens a model as an engine: one is in memory at a time, and leaving the block gives its memory back."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.engines.answers import Lenient, Strict, reach_of
from inference.engines.checks.files import read_architecture
from inference.engines.packing.prefix_forest import Rows
from inference.engines.protocols import Encoder, Scorer
from inference.engines.replicas import open_replicas, visible_gpus
from inference.machine.profiles import Profile
from shared.prompts.embedder import Pooling
from shared.settings.sections import Engine


def backend(engine: Engine):
    """The module of an engine: heavy, loaded only when it is used."""
    if engine == "vllm":
        from inference.engines import vllm as module
    else:
        from inference.engines.transformers import engine as module
    return module


@dataclass(frozen=True)
class Opening:
    """What a process opens: an Encoder with this pooling, or a Scorer where it is None."""

    engine: str
    folder: Path
    pooling: str | None
    profile: Profile

    @contextmanager
    def open(self) -> Iterator[Callable[[Rows], np.ndarray]]:
        module = backend(self.engine)
        if self.pooling is None:
            with module.open_scorer(self.folder, self.profile) as scorer:
                yield scorer.score
        else:
            with module.open_encoder(self.folder, self.pooling, self.profile) as encoder:
                yield encoder.encode


@contextmanager
def open_encoder(
    engine: Engine, folder: Path, pooling: Pooling, profile: Profile, *, strict: bool = True
) -> Iterator[Encoder]:
    """The model in `folder` as an Encoder, in as many processes as the profile says.

    A prompt without an answer is a ValueError, or a row of NaN unless `strict`.
    """
    if count := count_processes(profile):
        with open_replicas(Opening(engine, folder, pooling, profile), count) as replicas:
            yield _judged(replicas, folder, profile, strict)
    else:
        with backend(engine).open_encoder(folder, pooling, profile) as encoder:
            yield _judged(encoder, folder, profile, strict)


@contextmanager
def open_scorer(engine: Engine, folder: Path, profile: Profile, *, strict: bool = True) -> Iterator[Scorer]:
    """The merged reranker in `folder` as a Scorer, likewise. Raises ValueError where its head is still whole."""
    _check_head(folder)
    if count := count_processes(profile):
        with open_replicas(Opening(engine, folder, None, profile), count) as replicas:
            yield _judged(replicas, folder, profile, strict)
    else:
        with backend(engine).open_scorer(folder, profile) as scorer:
            yield _judged(scorer, folder, profile, strict)


def count_processes(profile: Profile) -> int:
    """Processes that an engine starts; 0: this one does the work, as every process of torchrun does."""
    if "WORLD_SIZE" in os.environ:
        return 0
    count = profile.replicas or max(len(visible_gpus()) // profile.tensor_parallel, 1)
    return 0 if count * profile.tensor_parallel == 1 else count


def _judged(engine: Encoder | Scorer, folder: Path, profile: Profile, strict: bool) -> Strict | Lenient:
    reach = reach_of(folder, profile)
    return Strict(engine, folder, reach) if strict else Lenient(engine, reach)


def _check_head(folder: Path) -> None:
    """A whole head would be passed over, and random numbers would take its place, with a warning only."""
    name = read_architecture(folder)
    if not name.endswith("ForSequenceClassification"):
        raise ValueError(
            f'{folder} holds a {name}, not a reranker with the row of "Yes" for its head: merge_reranker makes one '
            "(./just clean stage=merge_reranker deletes an old one)"
        )
