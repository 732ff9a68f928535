"""Asks for probabilities, with the usual wrong rules.

Reading: Lecoutre (1992) on the equiprobability bias; Fischbein and Schnarch (1997); Tversky and Kahneman (1974) on the
gambler's fallacy.
"""

from fractions import Fraction

from training.synthesis.malrules.fraction_meaning import OTHER_PART, PART_TO_PART
from training.synthesis.malrules.show import show_fraction, show_text
from training.synthesis.malrules.template import Template, draw_distinct

SUBJECT = "Probability"

EQUALLY_LIKELY = "Believes that all outcomes are equally likely, however they come about"
FIRST_ONLY = "Gives the probability of a single event when two events must happen"


def count_totals(sides: int, total: int) -> int:
    """In how many ways two dice with `sides` sides show `total`; (2, 5) and (5, 2) are two ways."""
    return sum(1 <= total - first <= sides for first in range(1, sides + 1))


TEMPLATES = (
    Template(
        construct="Find the probability of a single event",
        subject=SUBJECT,
        texts=(
            "A bag holds $a red, $b blue and $c green counters. One is taken at random. How likely is it to be red?",
            (
                '"$a red, $b blue, $c green" is printed on a box of balls. $name takes one without looking.\n'
                "How likely is it to be red?"
            ),
        ),
        draw=draw_distinct("abc", range(2, 12)),
        right=lambda a, b, c: Fraction(a, a + b + c),
        rules={
            PART_TO_PART: lambda a, b, c: Fraction(a, b + c),
            EQUALLY_LIKELY: lambda a, b, c: Fraction(1, 3),
            "Writes one over the total, however many outcomes are favourable": lambda a, b, c: Fraction(1, a + b + c),
            OTHER_PART: lambda a, b, c: Fraction(b + c, a + b + c),
        },
        thoughts=(
            "puts $a on top and $b + $c, those that are not red, underneath",
            "says 1 of 3, as there are three colours",
            "puts 1 on top and $a + $b + $c underneath",
            "puts $b + $c, those that are not red, on top and all of them underneath",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Find the probability that an event does not happen",
        subject=SUBJECT,
        texts=(
            "The probability that it rains tomorrow is $p. What is the probability that it does not rain?",
            "A biased coin shows heads with probability $p. With which probability does it show tails?",
        ),
        draw=lambda r: {"p": Fraction(r.choice([k for k in range(12, 98) if k % 10]), 100)},
        right=lambda p: 1 - p,
        rules={
            EQUALLY_LIKELY: lambda p: Fraction(1, 2),
            "Believes that an event and its opposite have the same probability": lambda p: p,
            "Makes every decimal digit up to ten when taking a decimal away from one": lambda p: Fraction(110, 100) - p,
            "Takes a probability away from a hundred instead of from one": lambda p: 100 - p,
        },
        thoughts=(
            "says 0.5, as there are two ways it can go",
            "says $p once more",
            "subtracts each figure of $p from 10, also the last but one, without a borrow",
            "subtracts $p from 100",
        ),
        show=show_text,
    ),
    Template(
        construct="Find the probability of two independent events",
        subject=SUBJECT,
        texts=(
            (
                "A bag holds $a red and $b white balls. One is taken and put back, then another one is taken. "
                "What is the probability that both are red?"
            ),
            (
                "$name draws a card from $a red and $b white ones, returns it, shuffles, and draws again.\n"
                "What is the probability of red both times?"
            ),
        ),
        draw=draw_distinct("ab", range(2, 10)),
        right=lambda a, b: Fraction(a, a + b) ** 2,
        rules={
            "Adds the probabilities of two events that must both happen": lambda a, b: Fraction(2 * a, a + b),
            "Takes one away for the second draw although the first was put back": lambda a, b: Fraction(
                a * (a - 1), (a + b) * (a + b - 1)
            ),
            FIRST_ONLY: lambda a, b: Fraction(a, a + b),
        },
        thoughts=(
            "finds $a over $a + $b, and the same once more with a plus",
            "lets there be one red less and one fewer in all at the next go",
            "finds $a over $a + $b and ends there",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Find the probability of two events without replacement",
        subject=SUBJECT,
        texts=(
            (
                "A box holds $a milk and $b dark chocolates. Two are eaten, one after the other, chosen at random. "
                "What is the probability that both are milk chocolates?"
            ),
            "Of $a girls and $b boys, two are picked at random. With which probability are both of them girls?",
        ),
        draw=draw_distinct("ab", range(3, 12)),
        right=lambda a, b: Fraction(a * (a - 1), (a + b) * (a + b - 1)),
        rules={
            "Treats draws without replacement as if each was put back": lambda a, b: Fraction(a, a + b) ** 2,
            "Lowers the numerator but not the denominator for the second draw": lambda a, b: Fraction(
                a * (a - 1), (a + b) ** 2
            ),
            FIRST_ONLY: lambda a, b: Fraction(a, a + b),
        },
        thoughts=(
            "finds $a over $a + $b, times the same once more",
            "lets $a go down by one at the next go, but still has $a + $b underneath",
            "finds $a over $a + $b and ends there",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Find the probability of a result after a run of results",
        subject=SUBJECT,
        texts=(
            (
                "A fair spinner has $n equal sections, numbered from 1. It has just shown 1 in $k spins in a row. "
                "What is the probability of 1 on the next spin?"
            ),
            'A fair dice with $n sides shows "1" $k times running. How likely is a 1 on the very next throw?',
        ),
        draw=lambda r: {"n": r.randint(3, 12), "k": r.randint(2, 4)},
        right=lambda n, k: Fraction(1, n),
        rules={
            "Believes that a result becomes less likely after a run of it": lambda n, k: Fraction(1, n ** (k + 1)),
            "Believes that a result becomes more likely after a run of it": lambda n, k: Fraction(k, k + 1),
            EQUALLY_LIKELY: lambda n, k: Fraction(1, 2),
        },
        thoughts=(
            "finds 1 over $n for each of the $k and for one more, and their product: it has had its share",
            "says $k of $k + 1: it is on a streak",
            "says 1 of 2: yes or no",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Find the probability of a total on two dice",
        subject=SUBJECT,
        texts=(
            "Two fair dice, each numbered from 1 to $n, are thrown. What is the probability of a total of $t?",
            "$name throws two fair $n-sided dice, and adds the scores. How likely is $t?",
        ),
        draw=lambda r: {"n": (n := r.choice((4, 6, 8, 10, 12))), "t": r.randint(3, 2 * n - 1)},
        right=lambda n, t: Fraction(count_totals(n, t), n * n),
        rules={
            EQUALLY_LIKELY: lambda n, t: Fraction(1, 2 * n - 1),
            "Counts two orders of the same two scores as one outcome": lambda n, t: Fraction(
                (count_totals(n, t) + 1) // 2, n * n
            ),
            "Adds the numbers of outcomes of two dice instead of multiplying": lambda n, t: Fraction(
                count_totals(n, t), 2 * n
            ),
        },
        thoughts=(
            "says 1 over how many sums there are, 2 up to 2 × $n",
            "takes a pair like 1 and 2 once, though either may be the first",
            "finds the right top, but $n + $n underneath",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Count the outcomes of two choices",
        subject=SUBJECT,
        texts=(
            "A cafe has $a soups and $b mains. How many different meals of one soup and one main are there?",
            "$name owns $a shirts and $b hats. In how many ways can one shirt be worn with one hat?",
        ),
        draw=draw_distinct("ab", range(3, 16)),
        right=lambda a, b: a * b,
        rules={
            "Adds the numbers of choices instead of multiplying": lambda a, b: a + b,
            "Pairs each choice with only one other, so the smaller number limits the count": lambda a, b: min(a, b),
            "Counts every pair of choices twice": lambda a, b: 2 * a * b,
        },
        thoughts=(
            "finds $a + $b",
            "says the lesser one of $a and $b: then one side is used up",
            "finds $a × $b and then double that, with either side first",
        ),
        show=show_text,
    ),
)
