"""Says what a written question is: one misconception, a right answer, the wrong answer it leads to, and two others.

Letters are no part of it. We give them, by a draw from the question's name, since writers put right answers at A and B.
"""

from dataclasses import dataclass
from random import Random

from shared.task.eedi import OPTIONS
from shared.task.folds import seed_of


@dataclass(frozen=True)
class Question:
    """A question that a language model wrote for a misconception."""

    name: str  # "MisconceptionId/number", each once
    misconception_id: int
    subject: str
    construct: str
    question: str
    correct: str
    wrong: str
    others: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        return (self.correct, self.wrong, *self.others)

    @property
    def fields(self) -> tuple[str, ...]:
        """Every text of it."""
        return (self.subject, self.construct, self.question, *self.options)

    @property
    def letters(self) -> str:
        """The letter of each of `options`, such as "CADB": drawn by the name, so the same on every machine."""
        drawn = Random(seed_of("letters", self.name)).sample(OPTIONS, len(OPTIONS))
        return "".join(drawn[: len(self.options)])


@dataclass(frozen=True)
class Unusable:
    """What was written for a misconception and is no question, and why."""

    name: str
    reason: str
