"""Asks what fractions mean: parts, equivalence, order and mixed numbers, with the usual wrong rules.

Reading: Hart (ed.), CSMS (1981); Kerslake, Fractions: Children's Strategies and Errors (1986).
"""

from fractions import Fraction
from itertools import permutations

from training.synthesis.malrules.show import show_fraction, show_list, show_text
from training.synthesis.malrules.template import Template, draw_distinct, whole

SUBJECT = "Fraction meaning"

PART_TO_PART = "Compares a part with the other part instead of with the whole"
OTHER_PART = "Gives the other part instead of the one asked for"
PART_LEFT = "Gives what is left over instead of the part asked for"


def split(fraction: str) -> tuple[int, int]:
    numerator, denominator = fraction.split("/")
    return int(numerator), int(denominator)


def order(fractions, key) -> tuple[str, ...] | None:
    """Smallest key first, or None if two keys tie: the rule then has no one answer."""
    keys = {f: key(*split(f)) for f in fractions}
    return tuple(sorted(fractions, key=keys.get)) if len(set(keys.values())) == len(keys) else None


def draw_four(r) -> dict[str, tuple[str, ...]]:
    """Four fractions with different values and different denominators."""
    while True:
        listed = tuple(f"{r.randint(1, q - 1)}/{q}" for q in r.sample(range(2, 13), 4))
        if len(set(map(Fraction, listed))) == 4:
            return {"listed": listed}


TEMPLATES = (
    Template(
        construct="Write a shaded part as a fraction of a shape",
        subject=SUBJECT,
        texts=(
            "A strip has $a shaded squares and $b unshaded squares, all of the same size. What fraction is shaded?",
            "In a pattern, $a tiles are blue and the other $b are white.\nWhat fraction of the tiles is blue?",
        ),
        draw=draw_distinct("ab", range(1, 14)),
        right=lambda a, b: Fraction(a, a + b),
        rules={
            PART_TO_PART: lambda a, b: Fraction(a, b),
            OTHER_PART: lambda a, b: Fraction(b, a + b),
            "Writes the whole over the part": lambda a, b: Fraction(a + b, a),
        },
        thoughts=(
            "puts $a on top and $b underneath",
            "puts $b on top and the total of $a and $b underneath, so counts those not meant",
            "puts the total of $a and $b on top and $a underneath",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Find a fraction of an amount",
        subject=SUBJECT,
        texts=(
            r"Work out \( \frac{$a}{$b} \) of $n",
            r"$name has $n marbles, and \( \frac{$a}{$b} \) of them are red. How many red marbles are there?",
        ),
        draw=lambda r: {"b": (b := r.randint(3, 9)), "a": r.randint(2, b - 1), "n": b * r.randint(3, 20)},
        right=lambda a, b, n: n // b * a,
        rules={
            "Divides by the numerator and multiplies by the denominator": lambda a, b, n: whole(Fraction(n * b, a)),
            "Divides by the denominator and ignores the numerator": lambda a, b, n: n // b,
            "Multiplies by the numerator and ignores the denominator": lambda a, b, n: n * a,
            PART_LEFT: lambda a, b, n: n - n // b * a,
        },
        thoughts=(
            "finds $n ÷ $a and takes it times $b",
            "finds $n ÷ $b and ends there; $a is never used",
            "finds $n × $a and ends there; $b is never used",
            "finds the right share, but then subtracts it from $n",
        ),
        show=show_text,
    ),
    Template(
        construct="Change a mixed number to an improper fraction",
        subject=SUBJECT,
        texts=(
            r"Write \( $w \frac{$a}{$b} \) as an improper fraction.",
            r"Which fraction is equal to \( $w \frac{$a}{$b} \) ?",
        ),
        draw=lambda r: {"w": r.randint(2, 9), "b": (b := r.randint(3, 12)), "a": r.randint(1, b - 1)},
        right=lambda w, a, b: w + Fraction(a, b),
        rules={
            "Adds the whole number of a mixed number to the numerator": lambda w, a, b: Fraction(w + a, b),
            "Multiplies the whole number of a mixed number by the numerator": lambda w, a, b: Fraction(w * a, b),
            "Writes the whole number in front of the numerator as another digit": lambda w, a, b: Fraction(
                10 * w + a, b
            ),
        },
        thoughts=(
            "puts $w + $a on top of $b",
            "puts $w × $a on top of $b",
            "sets $w and $a side by side, like tens and units, on top of $b",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Find the missing numerator of an equivalent fraction",
        subject=SUBJECT,
        texts=(
            r"What is missing? \( \frac{$a}{$b}=\frac{?}{$m} \)",
            r'"\( \frac{$a}{$b} \) is the same as how many $m-ths?" asks $name.',
        ),
        draw=lambda r: {"b": (b := r.randint(3, 12)), "a": r.randint(2, b - 1), "m": b * r.randint(2, 6)},
        right=lambda a, b, m: a * m // b,
        rules={
            "Adds the same number to numerator and denominator to make an equivalent fraction": lambda a, b, m: (
                a + m - b
            ),
            "Keeps the numerator when the denominator is changed": lambda a, b, m: a,
            "Gives the multiplier instead of the multiplied numerator": lambda a, b, m: m // b,
        },
        thoughts=(
            "sees how far it is up from $b to $m, and goes up as far from $a",
            "lets $a stand, since just the bottom is another one",
            "finds $m ÷ $b and ends there",
        ),
        show=show_text,
    ),
    Template(
        construct="Put fractions in order of size",
        subject=SUBJECT,
        texts=(
            "Put these fractions in order, smallest first: $listed",
            "Order the fractions from the smallest to the largest.\n$listed",
        ),
        draw=draw_four,
        right=lambda listed: tuple(sorted(listed, key=Fraction)),
        rules={
            "Believes that a larger denominator makes a larger fraction": lambda listed: order(listed, lambda p, q: q),
            "Orders fractions by their numerators alone": lambda listed: order(listed, lambda p, q: p),
            "Orders fractions by how far the numerator is from the denominator": lambda listed: order(
                listed, lambda p, q: p - q
            ),
        },
        thoughts=(
            "sorts them by the bottoms, from small to big, without a look at the tops",
            "sorts them by the tops, from small to big, without a look at the bottoms",
            "sorts them by the gap between top and bottom: the smaller the gap, the bigger it is said to be",
        ),
        show=show_list,
        choices=lambda listed: list(permutations(listed)),
    ),
)
