"""What an engine is: an Encoder turns prompts into vectors, a Scorer into logits of "Yes", a Writer into texts.

A prompt that an Encoder or a Scorer has no finite answer to gets NaN; answers.Strict makes an error of that, for all
who want one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from shared.prompts.writer import Sampling


class Encoder(Protocol):
    def encode(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
        """Unit vectors [N, D] float32 of N prompts (token ids), in their order."""


class Scorer(Protocol):
    def score(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits of "Yes" [N] float32 behind N prompts (token ids), in their order.

        Prompts of one call share what they begin with: give whole queries, and all that there are.
        """


@dataclass(frozen=True)
class Generated:
    """What a model wrote behind one prompt; its end token and what stopped it are counted but not part of the text."""

    text: str
    tokens: int
    finish_reason: str  # "stop": it ended, or came to a stop string; "length": it came to its limit


class Writer(Protocol):
    def generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int] = ()
    ) -> list[Generated]:
        """What the model writes behind N prompts (token ids), in their order; a seed for each unless it is greedy."""
