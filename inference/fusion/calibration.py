"""Says how retrieval and reranking become one order, and lets ids that nobody ever labelled compete on equal terms.

A calibration travels with a reranker as calibration.json. It was chosen on misconceptions held out from training.
"""

import hashlib
import json
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inference.fusion.blend import put_in_order
from inference.fusion.ensemble import Models
from shared.artifacts.files import write_text
from shared.artifacts.json_files import read_json
from shared.artifacts.lineage import read_lineage
from shared.task.current import TASK

CALIBRATION_FILE = "calibration.json"
CHECKSUM = "sha256"  # of everything else in the file; one that was written by hand has none
RETRIEVED = 200  # more than is ranked: where several lists are blended, one's place 30 may be the other's first
Id = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Fitted(BaseModel):
    """What a calibration was chosen on."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    iteration: str
    splits: dict[str, Digest]  # {held-out draw: digest of its evaluation}


class Calibration(BaseModel):
    """How the order is made. The score that decides is rerank_score + blend * retrieval_score [+ offset]."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    retrieved: Annotated[int, Field(ge=1)]  # candidates of a query
    depth: Annotated[int, Field(ge=1)]  # candidates that are reranked: the first ...
    extra: Annotated[int, Field(ge=0)] = 0  # ... and so many never-labelled ones from behind them
    blend: Annotated[float, Field(ge=0)] = 0.0  # logits for 1 of retrieval score
    offset: float = 0.0  # logits added to a never-labelled id; the 3rd place multiplied its score
    tail_offset: float = 0.0  # retrieval score added to a never-labelled id that was not reranked
    labelled: tuple[Id, ...] = ()  # ids that a training row carries; every other one was never labelled
    fitted: Fitted | None = None  # None: chosen by nobody, the plain order

    @model_validator(mode="after")
    def _fits_together(self) -> "Calibration":
        if self.retrieved < TASK.metric.depth:
            raise ValueError(f"retrieved is {self.retrieved}, and {TASK.metric.title} looks at {TASK.metric.depth}")
        if self.depth > self.retrieved:
            raise ValueError(f"depth {self.depth} is more than the {self.retrieved} retrieved")
        if list(self.labelled) != sorted(set(self.labelled)):
            raise ValueError("labelled is not in order, or has an id twice")
        return self


@dataclass(frozen=True)
class Ensemble:
    """The models that predict together, and how what they say becomes one order."""

    models: Models
    calibration: Calibration


def plain(depth: int | None = None) -> Calibration:
    """The first `depth` (the metric's unless said) in the reranker's order, then the rest as retrieved."""
    depth = TASK.metric.depth if depth is None else depth
    return Calibration(retrieved=max(RETRIEVED, depth), depth=depth)


def select_candidates(candidates: pl.DataFrame, calibration: Calibration) -> pl.DataFrame:
    """The candidates that are reranked: the first `depth` of every query, and the next `extra` never-labelled ones."""
    behind = never_labelled(calibration.labelled) & (pl.col("rank") > calibration.depth)
    place = behind.cast(pl.Int64).cum_sum().over("query_id", order_by="rank")
    return candidates.filter((pl.col("rank") <= calibration.depth) | (behind & (place <= calibration.extra)))


def apply(candidates: pl.DataFrame, scored: pl.DataFrame, calibration: Calibration) -> pl.DataFrame:
    """Ranked from `candidates` and `scored` (query_id, misconception_id, rerank_score): what was scored, then the rest.

    Without a scored row it is the order of retrieval, with the offset of the tail.
    """
    never = never_labelled(calibration.labelled).cast(pl.Float64)
    tail = pl.col("retrieval_score").cast(pl.Float64) + calibration.tail_offset * never
    return put_in_order(candidates, scored, calibrated(calibration), tail)


def calibrated(calibration: Calibration) -> pl.Expr:
    """The score that decides among what was reranked."""
    never = never_labelled(calibration.labelled).cast(pl.Float64)
    retrieval = pl.col("retrieval_score").cast(pl.Float64)
    return pl.col("rerank_score").cast(pl.Float64) + calibration.blend * retrieval + calibration.offset * never


def never_labelled(labelled: tuple[int, ...]) -> pl.Expr:
    """Whether no training row carries the row's misconception."""
    return ~pl.col("misconception_id").is_in(list(labelled))


def calibration_of(models: Models, *, depth: int | None = None, ignore: bool = False) -> Calibration:
    """The first reranker's calibration, or the plain order where it has none; says which. `depth` goes before its own.

    Without one, as many candidates are reranked as were when the model was evaluated.
    Raises ValueError for a file that is no calibration, and for one beside an average of ranks, which has no logits.
    """
    if depth is not None and depth < 1:
        raise ValueError(f"depth is {depth}: rerank at least 1 candidate")
    folder = models.rerankers[0].folder
    found = None if ignore else read_calibration(folder)
    if found is None:
        made = plain(evaluated_depth(folder) if depth is None else depth)
        why = "ignored as asked" if ignore else f"{folder} has no {CALIBRATION_FILE}"
        print(f"calibration  none: {why}; depth {made.depth}", flush=True)
        return made
    if models.average == "rank":
        raise ValueError(f"{folder / CALIBRATION_FILE} was chosen for scores: average scores, or add --no-calibration")
    if depth is not None:
        found = found.model_copy(update={"depth": depth, "retrieved": max(found.retrieved, depth)})
    print(f"calibration  {describe_calibration(found)}", flush=True)
    return found


def evaluated_depth(folder: Path) -> int:
    """How many candidates were reranked when the model in `folder` was evaluated, as its manifest says; else K."""
    try:
        lineage = read_lineage(folder)
    except ValueError:  # no manifest, or another's
        return TASK.metric.depth
    for settings in (lineage.all_settings, lineage.settings):  # of a merged model, of a quantised one
        depth = ((settings or {}).get("evaluate") or {}).get("depth")
        if type(depth) is int and depth >= 1:
            return depth
    return TASK.metric.depth


def describe_calibration(calibration: Calibration) -> str:
    """The calibration in a line."""
    c = calibration
    values = f"blend {c.blend:g}, offset {c.offset:g}, tail offset {c.tail_offset:g}"
    source = f", chosen on {', '.join(c.fitted.splits)} of {c.fitted.iteration}" if c.fitted else ""
    return f"depth {c.depth}, extra {c.extra}, {values}{source}"


def check_ids(calibration: Calibration, known: Set[int]) -> None:
    """Raise ValueError for a calibration that labels ids which the competition does not have."""
    if strange := sorted(set(calibration.labelled) - known):
        raise ValueError(
            f"{CALIBRATION_FILE} calls misconception {strange[0]} labelled, which this competition does not have"
        )


def read_calibration(folder: Path) -> Calibration | None:
    """The calibration in `folder`, None where there is none. Raises ValueError for a file that is not a sound one."""
    path, again = folder / CALIBRATION_FILE, "`just calibrate` makes one"
    if not path.exists():
        return None
    said = read_json(path, again)
    if said.pop(CHECKSUM, None) not in (None, _checksum(said)):
        raise ValueError(f"{path} is damaged, as its {CHECKSUM} says: {again}")
    try:
        return Calibration.model_validate_json(json.dumps(said))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise ValueError(f"{path} is no calibration of this version: {reason}; {again}") from None


def write_calibration(calibration: Calibration, folder: Path) -> None:
    """Write `folder`/calibration.json; it holds a whole calibration or does not change.

    It is copied beside models by hand, where no manifest lists it: so it says its own checksum.
    """
    said = calibration.model_dump(mode="json")
    write_text(folder / CALIBRATION_FILE, json.dumps({**said, CHECKSUM: _checksum(said)}, indent=1) + "\n")


def _checksum(said: dict) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
