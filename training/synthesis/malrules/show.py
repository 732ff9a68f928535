"""Turns exact values into the text of an answer option, always in the same way."""

from collections.abc import Callable
from fractions import Fraction

from training.synthesis.malrules.template import Value


def show_text(value: Value) -> str:
    """Texts and plain numbers as they are; decimals exactly, without trailing zeros."""
    if isinstance(value, str):
        return value
    value, places = Fraction(value), 0
    while (value * 10**places).denominator != 1:
        places += 1
        assert places <= 12, f"{value} does not end as a decimal"
    digits = f"{abs(int(value * 10**places)):0{places + 1}d}"
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def show_maths(value: Value) -> str:
    return rf"\( {show_text(value)} \)"


def show_between(before: str, after: str) -> Callable[[Value], str]:
    """A number with its unit or sign around it."""
    return lambda value: f"{before}{show_text(value)}{after}"


def show_unit(unit: str) -> Callable[[Value], str]:
    return show_between(r"\( ", rf" \mathrm{{~{unit}}} \)")


def show_money(value: Value) -> str:
    """Pounds with exactly two decimals; half-pennies do not exist."""
    pence = Fraction(value) * 100
    assert pence.denominator == 1, f"£{value} is not a whole number of pence"
    return f"£{int(pence) // 100}.{int(pence) % 100:02d}"


def show_fraction(value: Value) -> str:
    value = Fraction(value)
    if value.denominator == 1:
        return rf"\( {value.numerator} \)"
    sign = "-" if value < 0 else ""
    return rf"\( {sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}} \)"


def show_polynomial(letter: str) -> Callable[[Value], str]:
    """Coefficients from the constant upwards: (5, 3) is 3x+5."""

    def show(value: Value) -> str:
        terms = [_write_term(value[power], letter, power) for power in reversed(range(len(value))) if value[power]]
        return rf"\( {''.join(terms).removeprefix('+') or '0'} \)"

    return show


def show_pair(value: Value) -> str:
    return rf"\( ({show_text(value[0])}, {show_text(value[1])}) \)"


def show_ratio(value: Value) -> str:
    return f"{value[0]} : {value[1]}"


def show_power(value: Value) -> str:
    return rf"\( {value[0]}^{{{value[1]}}} \)"


def show_clock(value: Value) -> str:
    return f"{value[0]:02d}:{value[1]:02d}"


def show_duration(value: Value) -> str:
    return f"{value[0]} h {value[1]} min"


def show_list(value: Value) -> str:
    return ", ".join(show_text(item) for item in value)


def _write_term(coefficient: int, letter: str, power: int) -> str:
    if power == 0:
        return f"{coefficient:+d}"
    size = "" if abs(coefficient) == 1 else str(abs(coefficient))
    sign = "-" if coefficient < 0 else "+"
    return f"{sign}{size}{letter}" + (f"^{{{power}}}" if power > 1 else "")
