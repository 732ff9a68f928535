"""Says how sure a ranking is: of every candidate, and of whether the right entry is in the catalogue at all.

A confidence is fitted on rows that no model was trained on, as they are and with their right entry taken away.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.artifacts.files import write_json
from shared.artifacts.json_files import read_json

CONFIDENCE_FILE = "confidence.json"
NEAR = 10  # candidates whose mean similarity the best one is compared with
FEATURES = ("best", "margin", "similarity", "lead")  # of a row, for whether its entry is there
Finite = Annotated[float, Field(allow_inf_nan=False)]
CHECKED = ConfigDict(frozen=True, extra="forbid", strict=True)


class Fit(BaseModel):
    """What was fitted to one kind of score: the calibrated order's, or similarity alone."""

    model_config = CHECKED

    scale: Annotated[Finite, Field(ge=0)]  # logits for 1 of score
    elsewhere: Finite  # the logit, on that scale, of an entry that is not among the scored candidates
    centre: tuple[Finite, ...]  # of each of FEATURES
    spread: tuple[Annotated[Finite, Field(gt=0)], ...]
    weights: tuple[Finite, ...]
    bias: Finite  # where as many entries are absent as are there


class Confidence(BaseModel):
    """The fits, and what they reached on draws that they were not fitted on."""

    model_config = CHECKED

    reranked: Fit
    retrieved: Fit
    draws: tuple[str, ...]
    auroc: dict[str, Finite]  # {"reranked", "retrieved"}: of absent entries, each draw by the others' fit
    error: dict[str, Finite]  # expected calibration error of the best candidate's probability, likewise


@dataclass(frozen=True)
class RowScores:
    """The scored candidates of a row, best first: their score, and their similarity."""

    scores: np.ndarray
    similarities: np.ndarray


def candidate_probabilities(scores: np.ndarray, fit: Fit, absent: float) -> np.ndarray:
    """The probability [K] that each of a row's scored candidates is right, from their scores [K].

    `absent` is the probability that the right entry is not in the catalogue; what is left of 1 is that it is there and
    was not scored.
    """
    logits = np.append(fit.scale * np.asarray(scores, np.float64), fit.elsewhere)
    shares = np.exp(logits - logits.max())
    return (1 - absent) * shares[:-1] / shares.sum()


def absent_probability(row: RowScores, fit: Fit, share: float) -> float:
    """The probability that the right entry of a row is not in the catalogue, where `share` of all rows are such."""
    values = (features_of(row) - np.array(fit.centre)) / np.array(fit.spread)
    logit = values @ np.array(fit.weights) + fit.bias + np.log(share / (1 - share))
    return float(1 / (1 + np.exp(-np.clip(logit, -500, 500))))


def features_of(row: RowScores) -> np.ndarray:
    """FEATURES [4]: the best score, its lead over the next, the best similarity, its lead over the mean of NEAR."""
    best = float(row.scores[0])
    margin = best - float(row.scores[1]) if len(row.scores) > 1 else 0.0
    ordered = np.sort(row.similarities)[::-1]
    return np.array([best, margin, ordered[0], ordered[0] - ordered[:NEAR].mean()])


def write_confidence(confidence: Confidence, folder: Path) -> None:
    """Write `folder`/confidence.json."""
    write_json(folder / CONFIDENCE_FILE, confidence.model_dump(mode="json"))


def read_confidence(folder: Path) -> Confidence | None:
    """The confidence in `folder`, None where there is none. Raises ValueError for a file that is not a sound one."""
    path, again = folder / CONFIDENCE_FILE, "`just calibrate` makes one"
    if not path.exists():
        return None
    try:
        return Confidence.model_validate_json(json.dumps(read_json(path, again)))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise ValueError(f"{path} is no confidence of this version: {reason}; {again}") from None
