"""What an engine is: an Encoder turns prompts into vectors, a Scorer turns prompts into logits of "Yes".

A prompt that it has no finite answer to gets NaN; answers.Strict makes an error of that, for all who want one.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

Answer = int | tuple[int, int]  # the row of the head whose logit is a score; with a second, what is taken from it


class Encoder(Protocol):
    def encode(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
        """Unit vectors [N, D] float32 of N prompts (token ids), in their order."""


class Scorer(Protocol):
    def score(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits of "Yes" [N] float32 behind N prompts (token ids), in their order.

        Prompts of one call share what they begin with: give whole queries, and all that there are.
        """
