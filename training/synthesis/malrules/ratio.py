"""Asks for ratios and proportions, with the usual wrong rules.

Reading: Hart, Ratio: Children's Strategies and Errors (1984); Tourniaire and Pulos (1985) on the additive strategy.
"""

from fractions import Fraction
from math import gcd

from training.synthesis.malrules.fraction_meaning import OTHER_PART, PART_TO_PART
from training.synthesis.malrules.show import show_between, show_fraction, show_ratio, show_text
from training.synthesis.malrules.template import Template, decimal, draw_distinct, whole

SUBJECT = "Ratio"

ADDITIVE = "Adds the same amount instead of scaling by the same factor"


def simplify(a: int, b: int) -> tuple[int, int]:
    return a // gcd(a, b), b // gcd(a, b)


def draw_share(r) -> dict[str, int]:
    """A total n that can be shared in the ratio a : b."""
    a, b = r.sample(range(2, 10), 2)
    return {"a": a, "b": b, "n": (a + b) * r.randint(3, 20)}


TEMPLATES = (
    Template(
        construct="Share an amount in a given ratio",
        subject=SUBJECT,
        texts=(
            "£$n is shared between $name and Kim in the ratio $a : $b. How many pounds does $name get?",
            "A $n cm ribbon is cut into two pieces in the ratio $a : $b, in that order. How long is the first, in cm?",
        ),
        draw=draw_share,
        right=lambda a, b, n: n * a // (a + b),
        rules={
            "Divides the total by one number of the ratio to find a share": lambda a, b, n: whole(Fraction(n, a)),
            "Gives the value of one part instead of the whole share": lambda a, b, n: n // (a + b),
            OTHER_PART: lambda a, b, n: n * b // (a + b),
            "Reads a ratio as a fraction of the total": lambda a, b, n: whole(Fraction(n * a, b)),
        },
        thoughts=(
            "finds $n ÷ $a",
            "finds $n ÷ ($a + $b) and ends there",
            "finds $b shares of the $a + $b in place of $a",
            "finds $n × $a ÷ $b",
        ),
        show=show_text,
    ),
    Template(
        construct="Scale a recipe up or down",
        subject=SUBJECT,
        texts=(
            "A recipe for $a people needs $b g of flour. How much flour is needed for $c people?",
            "$a pens weigh $b g together. What do $c such pens weigh?",
        ),
        draw=lambda r: {
            "a": (a := r.randint(2, 12)),
            "b": a * r.randint(5, 40),
            "c": r.choice([c for c in range(2, 13) if c != a]),
        },
        right=lambda a, b, c: b // a * c,
        rules={
            ADDITIVE: lambda a, b, c: b + c - a,
            "Multiplies by the new number without finding the value of one first": lambda a, b, c: b * c,
            "Scales in the wrong direction": lambda a, b, c: whole(Fraction(b * a, c)),
        },
        thoughts=(
            "sees how far it is up or down from $a to $c and moves $b g just as far",
            "finds $b × $c, though $b g is for $a of them",
            "finds $b × $a ÷ $c, so gets less for more",
        ),
        show=show_between("", " g"),
    ),
    Template(
        construct="Write a part of a ratio as a fraction of the whole",
        subject=SUBJECT,
        texts=(
            "The ratio of red to blue beads is $a : $b. What fraction of the beads is red?",
            'Paint is mixed "$a parts white, $b parts green". What fraction of the mixture is white?',
        ),
        draw=draw_distinct("ab", range(2, 14)),
        right=lambda a, b: Fraction(a, a + b),
        rules={
            PART_TO_PART: lambda a, b: Fraction(a, b),
            OTHER_PART: lambda a, b: Fraction(b, a + b),
            "Takes one number of a ratio as one share out of that many": lambda a, b: Fraction(1, a),
        },
        thoughts=(
            "puts $a on top and $b underneath",
            "puts $b on top and $a + $b underneath, so counts the second kind",
            "puts 1 on top and $a underneath",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Simplify a ratio of lengths in different units",
        subject=SUBJECT,
        texts=(
            "Write the ratio $a m : $b cm in its simplest form.",
            "A wall is $a m long, a brick is $b cm long.\nWhat is the ratio of wall to brick, in its simplest form?",
        ),
        draw=lambda r: {"a": r.randint(2, 12), "b": 5 * r.randint(3, 18)},
        right=lambda a, b: simplify(100 * a, b),
        rules={
            "Ignores different units when writing a ratio": lambda a, b: simplify(a, b),
            "Writes the numbers of a ratio in the wrong order": lambda a, b: simplify(b, 100 * a),
            "Believes that there are ten centimetres in a metre": lambda a, b: simplify(10 * a, b),
        },
        thoughts=(
            "compares $a with $b as they stand, with m beside cm",
            "compares $b cm with $a m, the brick first",
            "takes 10 cm for 1 m, so compares 10 × $a with $b",
        ),
        show=show_ratio,
    ),
    Template(
        construct="Solve a problem with inverse proportion",
        subject=SUBJECT,
        texts=(
            "It takes $a painters $b days to paint a bridge. How many days would $c painters take?",
            "Food lasts $a horses for $b days. For how many days would it last $c horses?",
        ),
        draw=lambda r: {"a": r.randint(2, 12), "c": (c := r.randint(2, 12)), "b": c * r.randint(2, 9)},
        right=lambda a, b, c: a * b // c,
        rules={
            "Treats inverse proportion as direct proportion": lambda a, b, c: decimal(Fraction(b * c, a)),
            ADDITIVE: lambda a, b, c: b - (c - a) if b > c - a else None,
            "Believes that the result stays the same when one quantity changes": lambda a, b, c: b,
        },
        thoughts=(
            "finds $b × $c ÷ $a, so lets more of them need more days",
            "sees how far it is up from $a to $c and subtracts that from $b",
            "says $b again, though there are $c now",
        ),
        show=show_text,
    ),
    Template(
        construct="Use a map scale",
        subject=SUBJECT,
        texts=(
            r"A map has a scale of \( 1: $n \). Two towns are $k cm apart on it. How far apart are they in km?",
            '"1 : $n" is printed on a map. A road on it is $k cm long. What is its real length, in km?',
        ),
        draw=lambda r: {"n": r.choice((25000, 50000, 100000, 200000, 250000)), "k": r.randint(2, 18)},
        right=lambda n, k: Fraction(n * k, 100000),
        rules={
            "Believes that there are a thousand centimetres in a kilometre": lambda n, k: Fraction(n * k, 1000),
            "Changes centimetres to metres and calls them kilometres": lambda n, k: Fraction(n * k, 100),
            "Gives the real length of one centimetre only": lambda n, k: Fraction(n, 100000),
        },
        thoughts=(
            "finds $n × $k cm and calls every 1000 of them a km",
            "finds $n × $k cm and divides by 100 in place of 100000",
            "finds what 1 cm stands for; $k is never used",
        ),
        show=show_between("", " km"),
    ),
)
