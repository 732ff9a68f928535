"""Opens a language model that writes: one is in memory at a time, and leaving the block gives its memory back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inference.engines.open import count_processes
from inference.engines.protocols import Writer
from inference.engines.replicas import open_replicas
from inference.engines.writers.check import check_writer
from inference.machine.profiles import Profile
from shared.settings.sections import Engine


@dataclass(frozen=True)
class WriterOpening:
    """A causal model, what computes, and how long a prompt with its text can be."""

    engine: Engine
    folder: Path
    profile: Profile
    longest: int  # tokens
    adapter: Path | None = None  # LoRA on top of it

    @contextmanager
    def open(self) -> Iterator[Callable]:
        """Its `generate`, in this process."""
        with self.open_here() as writer:
            yield writer.generate

    @contextmanager
    def open_here(self) -> Iterator[Writer]:
        if self.engine == "vllm":
            from inference.engines.writers.vllm import open_writer as opened
        else:
            from inference.engines.writers.transformers import open_writer as opened
        with opened(self.folder, self.profile, self.longest, self.adapter) as writer:
            yield writer


@contextmanager
def open_writer(opening: WriterOpening) -> Iterator[Writer]:
    """The model as a Writer, in as many processes as the profile says. Raises ValueError for one that cannot write."""
    check_writer(opening.folder, opening.adapter)
    if count := count_processes(opening.profile):
        with open_replicas(opening, count) as replicas:
            yield replicas
    else:
        with opening.open_here() as writer:
            yield writer
