"""Says which models predict together, with which weights, and reads them from a command line."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Average = Literal["score", "rank"]


@dataclass(frozen=True)
class Member:
    """A model of an ensemble and its weight; only the proportions of the weights count.

    `depth` and `gap` are of a reranker behind others in a cascade: how many of the candidates that stand first so far
    it reads at most, and how many logits behind the best of them; None: all, whatever their scores.
    """

    folder: Path
    weight: float = 1.0
    depth: int | None = None
    gap: float | None = None


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

    @property
    def is_cascade(self) -> bool:
        """Whether what a later reranker read stays in front of what it did not."""
        return any(member.depth is not None for member in self.rerankers)


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


def in_cascade(rerankers: Sequence[Member], text: str) -> tuple[Member, ...]:
    """`rerankers` with what "8@4.6,5" says of those behind the first: a depth each, and a gap in logits where given.

    The empty text changes nothing. Raises ValueError for another number of parts, and for a depth that grows.
    """
    first, *later = rerankers
    parts = text.split(",") if text else []
    if text and len(parts) != len(later):
        raise ValueError(
            f"--cascade {text!r} is for {len(parts)} rerankers behind the first, and there are {len(later)}"
        )
    cut = [_read_stage(member, part) for member, part in zip(later, parts, strict=False)]
    for one, other in itertools.pairwise(cut):
        if other.depth > one.depth:
            raise ValueError(
                f"--cascade {text!r}: a reranker reads {other.depth} of the {one.depth} before it: go down"
            )
    return (first, *(cut or later))


def _read_stage(member: Member, text: str) -> Member:
    depth, at, gap = text.partition("@")
    try:
        made = replace(member, depth=int(depth), gap=float(gap) if at else None)
    except ValueError:
        made = replace(member, depth=0)
    if made.depth < 1 or (made.gap is not None and not 0 < made.gap < math.inf):
        raise ValueError(f"--cascade: {text!r} is no depth such as 8, nor a depth and a gap such as 8@4.6")
    return made


def read_writing(folder: Path | None, adapter: Path | None, gpus: int, shots: Path | None = None) -> Writing | None:
    """The writer that a command line names, None where it names none.

    Raises ValueError for an adapter or a file of shots alone.
    """
    if folder is None and adapter is not None:
        raise ValueError("--writer-adapter needs --writer, the base that it was trained on")
    if folder is None and shots is not None:
        raise ValueError("--writer-shots needs --writer, which is shown them")
    return None if folder is None else Writing(folder, adapter, gpus, shots)
