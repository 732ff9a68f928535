"""Holds the one shape every demo question has: numbers to draw, one right procedure and several wrong ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

Value = int | Fraction | str | tuple


@dataclass(frozen=True)
class Template:
    """A parametric question; every callable except `draw` and `show` takes the drawn parameters by keyword.

    `texts` are phrasings in `string.Template` syntax ($a), because LaTeX is full of braces; `$name` is a pupil's name.
    `rules` maps a misconception, as a sentence, to its wrong procedure, which returns None where it makes no sense.
    `thoughts`, one for each rule in the order of the rules, say behind "The student" what is done with the numbers, in
    other words than the misconception's name.
    `choices`, for answers that are not numbers, lists the options a careless pupil might tick.
    """

    construct: str
    subject: str
    texts: tuple[str, ...]
    draw: Callable[[Random], dict[str, Value]]
    right: Callable[..., Value]
    rules: dict[str, Callable[..., Value | None]]
    thoughts: tuple[str, ...]
    show: Callable[[Value], str]
    choices: Callable[..., Sequence[Value]] | None = None


def draw_distinct(names: str, numbers: range) -> Callable[[Random], dict[str, int]]:
    """A draw that gives every one-letter parameter a different number."""
    return lambda rng: dict(zip(names, rng.sample(numbers, len(names)), strict=True))


def whole(value: Fraction) -> int | None:
    """The value as an int, or None: pupils drop a procedure that does not come out whole."""
    return int(value) if value.denominator == 1 else None


def decimal(value: Fraction) -> Fraction | None:
    """The value, or None when it has more than three decimal places."""
    return value if (value * 1000).denominator == 1 else None


def round_to(value: Fraction, step: Fraction | int) -> Fraction:
    """Round to a multiple of `step`, halves upwards, as schools do (Python's round goes to even)."""
    return (value / step + Fraction(1, 2)) // 1 * Fraction(step)
