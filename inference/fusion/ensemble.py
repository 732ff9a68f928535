"""Says which models predict together, with which weights, and reads them from a command line."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Average = Literal["score", "rank"]


@dataclass(frozen=True)
class Member:
    """A model of an ensemble and its weight; only the proportions of the weights count."""

    folder: Path
    weight: float = 1.0


@dataclass(frozen=True)
class Writing:
    """The language model that writes about rows before anything else reads them: a base, and LoRA on top of it."""

    folder: Path
    adapter: Path | None = None
    gpus: int = 0  # that share a copy of it; 0: as many as its weights need
    shots: Path | None = None  # the file of solved examples that it is shown


@dataclass(frozen=True)
class Models:
    """What predicts: the embedders find candidates, the rerankers score them; `average` is how each kind is blended."""

    embedders: tuple[Member, ...]
    rerankers: tuple[Member, ...]
    average: Average = "score"
    writer: Writing | None = None


def read_member(text: str) -> Member:
    """A member from "DIR" or "DIR=WEIGHT". Raises ValueError for a weight that is not above 0."""
    folder, equals, weight = text.rpartition("=")
    if not equals or Path(text).is_dir():
        return Member(Path(text))
    try:
        value = float(weight)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{text!r}: {weight!r} is no weight above 0, as in DIR=0.5")
    return Member(Path(folder), value)


def read_writing(folder: Path | None, adapter: Path | None, gpus: int, shots: Path | None = None) -> Writing | None:
    """The writer that a command line names, None where it names none.

    Raises ValueError for an adapter or a file of shots alone.
    """
    if folder is None and adapter is not None:
        raise ValueError("--writer-adapter needs --writer, the base that it was trained on")
    if folder is None and shots is not None:
        raise ValueError("--writer-shots needs --writer, which is shown them")
    return None if folder is None else Writing(folder, adapter, gpus, shots)
