"""Asks an engine only what fits it, and says what becomes of a prompt without an answer: a row of NaN, or an error.

The strict way is everybody's but predict's: a figure or a training that passed over a prompt would be a wrong one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.engines.protocols import Encoder, Scorer
from inference.machine.profiles import Profile

Rows = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Reach:
    """What a model on a machine can answer: the longest prompt, why no longer one, and what helps against NaN."""

    most: int | None = None
    why: str = ""
    advice: str = "the weights themselves hold NaN, or the training went wrong"


def reach_of(folder: Path, profile: Profile) -> Reach:
    """The reach of the model in `folder` on the machine of `profile`."""
    from inference.engines.checks.lengths import positions_of  # imports transformers
    from inference.engines.checks.model import load_config

    config = load_config(folder)
    own = positions_of(config) or profile.max_tokens
    why = f"the model's limit is {own}, max_tokens of the profile {profile.max_tokens}"
    quantised = getattr(config, "quantization_config", None) is not None
    return Reach(min(profile.max_tokens, own), why, _advise(profile, quantised))


@dataclass(frozen=True)
class Lenient:
    """An Encoder or a Scorer, as its engine is: NaN in the row of a prompt that is too long or has no finite answer."""

    engine: Encoder | Scorer
    reach: Reach

    def encode(self, prompts: Rows) -> np.ndarray:
        return self._ask(self.engine.encode, prompts)

    def score(self, prompts: Rows) -> np.ndarray:
        return self._ask(self.engine.score, prompts)

    def _ask(self, answer: Callable[[Rows], np.ndarray], prompts: Rows) -> np.ndarray:
        fitting = [row for row, prompt in enumerate(prompts) if not self.reach.most or len(prompt) <= self.reach.most]
        if len(fitting) == len(prompts):
            return without_infinity(answer(prompts))
        answers = answer([prompts[row] for row in fitting])
        values = np.full((len(prompts), *answers.shape[1:]), np.nan, np.float32)
        values[fitting] = answers
        return without_infinity(values)


@dataclass(frozen=True)
class Strict:
    """An Encoder or a Scorer that raises ValueError, naming model and prompt, where a prompt has no answer."""

    engine: Encoder | Scorer
    model: str | Path
    reach: Reach = Reach()

    def encode(self, prompts: Rows) -> np.ndarray:
        return self._check(self.engine.encode, prompts)

    def score(self, prompts: Rows) -> np.ndarray:
        return self._check(self.engine.score, prompts)

    def _check(self, answer: Callable[[Rows], np.ndarray], prompts: Rows) -> np.ndarray:
        for number, prompt in enumerate(prompts):
            if self.reach.most and len(prompt) > self.reach.most:
                raise ValueError(
                    f"{self.model}: prompt {number} of {len(prompts)} has {len(prompt)} tokens, {self.reach.most} fit"
                    f" ({self.reach.why}): cut its query or its examples shorter, or take a profile with more"
                )
        values = answer(prompts)
        bad = np.flatnonzero(~answered(values))
        if len(bad):
            said = f"prompt {bad[0]} of {len(values)} gave NaN or infinity, {len(bad)} of them did"
            raise ValueError(f"{self.model}: {said}: {self.reach.advice}")
        return values


def answered(values: np.ndarray) -> np.ndarray:
    """Whether each of N prompts has an answer [N], from the answers [N, ...]."""
    return np.isfinite(values).all(axis=tuple(range(1, values.ndim)))


def without_infinity(values: np.ndarray) -> np.ndarray:
    """`values` [N, ...] with NaN throughout in every row that is not finite: nothing of such a row counts."""
    bad = ~answered(values)
    if not bad.any():
        return values
    clean = values.copy()
    clean[bad] = np.nan
    return clean


def _advise(profile: Profile, quantised: bool) -> str:
    """What can be done on this machine; a profile in float16 is for one without bfloat16."""
    if profile.dtype != "float16":
        return f"{profile.dtype} reaches to 3e38, so that the weights themselves hold NaN: make the model again"
    if quantised:
        return (
            "float16 ends at 65,504, and 4-bit weights are computed in nothing wider on this profile:"
            " take a profile with bfloat16 for this model, or the model that was not quantised"
        )
    return (
        "float16 ends at 65,504: set dtype to float32 in the profile if twice the memory is there,"
        " or take a profile with bfloat16"
    )
