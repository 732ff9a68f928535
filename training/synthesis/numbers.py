"""Reads numbers and plain arithmetic out of a text, exactly; what it does not know it leaves alone.

A number may be a decimal, a fraction, a mixed number or a sum of such, in LaTeX or not; nothing is ever executed.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

MOST_POWER = 12  # exponents beyond are left alone: the result would have more digits than any option

_WRITING = (  # (as LaTeX and people write it, as the reader below has it)
    (re.compile(r"\\[()\[\]]|\$|\\[,;!]|\\(?:left|right|displaystyle|quad)\b|~"), " "),
    (re.compile(r"\\(?:mathrm|text)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r" ((\1)/(\2)) "),
    (re.compile(r"\\times|\\cdot|×"), "*"),
    (re.compile(r"\\div|÷"), "/"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\^\s*\{([^{}]*)\}"), r"^(\1)"),
    (re.compile(r"²"), "^2"),
    (re.compile(r"³"), "^3"),
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), ""),
)
_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?|\.\d+)|([-+*/^()]))")
_QUANTITY = re.compile(r"\s*([£€]?)\s*([-+*/^().\d\s]*\d[)\s]*)(.*)", re.DOTALL)
_MIXED = re.compile(r"(?<![\d.^/*)])(\d+)\s+(\(\(\d+\)/\(\d+\)\))")  # 1 ((1)/(2)): one and a half


@dataclass(frozen=True)
class Quantity:
    """A number and what stands around it: a sign of money, a unit, a percent sign."""

    value: Fraction
    unit: str


def quantity_of(text: str) -> Quantity | None:
    """The number that an answer is, with its unit; None where the answer is anything else."""
    match = _QUANTITY.fullmatch(_plain(text))
    if match is None or (value := value_of(match[2])) is None:
        return None
    behind = " ".join(match[3].split()).casefold().rstrip(".")
    return Quantity(value, match[1] + behind) if not re.search(r"[\d=,:(\\]", behind) else None


def value_of(text: str) -> Fraction | None:
    """The exact value of a text that is nothing but a number or plain arithmetic; None for any other text."""
    plain = _MIXED.sub(r"(\1+\2)", _plain(text))
    tokens, place = [], 0
    while plain[place:].strip():
        match = _TOKEN.match(plain, place)
        if match is None:
            return None
        tokens.append(match[1] or match[2])
        place = match.end()
    try:
        reader = _Reader(tokens)
        value = reader.sum()
        return value if not reader.tokens else None
    except (ValueError, ZeroDivisionError):
        return None


def _plain(text: str) -> str:
    for writing, ours in _WRITING:
        text = writing.sub(ours, text)
    return text


class _Reader:
    """Reads a sum from tokens, operation by operation in their usual order. ValueError where it is none."""

    def __init__(self, tokens: list[str]):
        self.tokens = tokens

    def sum(self) -> Fraction:
        value = self.product()
        while (sign := self.take("+-")) is not None:
            part = self.product()
            value = value + part if sign == "+" else value - part
        return value

    def product(self) -> Fraction:
        value = self.signed()
        while (sign := self.take("*/")) is not None:
            part = self.signed()
            value = value * part if sign == "*" else value / part
        return value

    def signed(self) -> Fraction:
        sign = self.take("+-")
        if sign is None:
            return self.power()
        return -self.signed() if sign == "-" else self.signed()

    def power(self) -> Fraction:
        base = self.atom()
        if self.take("^") is None:
            return base
        exponent = self.signed()
        if exponent.denominator != 1 or abs(exponent) > MOST_POWER:
            raise ValueError(f"power {exponent}")
        return base ** int(exponent)

    def atom(self) -> Fraction:
        if self.take("(") is not None:
            value = self.sum()
            if self.take(")") is None:
                raise ValueError("a bracket is not closed")
            return value
        if not self.tokens or not self.tokens[0][-1].isdigit():
            raise ValueError("a number is missing")
        return Fraction(self.tokens.pop(0))

    def take(self, signs: str) -> str | None:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in signs else None
