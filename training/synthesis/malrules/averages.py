"""Asks for averages and the range, with the usual wrong rules.

Reading: Pollatsek, Lima and Well (1981) on the weighted mean; Mokros and Russell (1995).
"""

from fractions import Fraction
from itertools import pairwise

from training.synthesis.malrules.show import show_text
from training.synthesis.malrules.template import Template

SUBJECT = "Averages"

UNSORTED = "Takes the middle of a list without putting it in order"
FORGETS_DIVISION = "Adds up the values and forgets to divide"
MEAN_FOR_MEDIAN = "Finds the mean when asked for the median"


def draw_list(size: int):
    """A function that draws `size` different numbers."""
    return lambda r: {"listed": tuple(r.sample(range(2, 30), size))}


def draw_frequencies(r) -> dict[str, object]:
    """How often each of 1 to 4 came up, twenty times in all; one value is the most frequent."""
    cuts = sorted(r.sample(range(1, 20), 3))
    return {"listed": tuple(b - a for a, b in pairwise([0, *cuts, 20]))}


def draw_groups(r) -> dict[str, int]:
    """Two groups of sizes n and m, ten or twenty in all, with means x and y."""
    n, m = r.choice(((2, 8), (6, 4), (3, 7), (5, 15), (12, 8)))
    x, y = r.sample(range(4, 40), 2)
    return {"n": n, "m": m, "x": x, "y": y}


def weigh(listed: tuple[int, ...]) -> int:
    """The sum of the values 1, 2, 3, ..., each as often as its frequency in the list says."""
    return sum(value * times for value, times in enumerate(listed, start=1))


TEMPLATES = (
    Template(
        construct="Find the median of an odd number of values",
        subject=SUBJECT,
        texts=("Find the median of these numbers: $listed", "What is the median?\n$listed"),
        draw=draw_list(5),
        right=lambda listed: sorted(listed)[2],
        rules={
            UNSORTED: lambda listed: listed[2],
            MEAN_FOR_MEDIAN: lambda listed: Fraction(sum(listed), 5),
            "Finds the range when asked for the median": lambda listed: max(listed) - min(listed),
        },
        thoughts=(
            "says what stands third as they were given",
            "takes the sum and divides by 5",
            "subtracts the least from the greatest",
        ),
        show=show_text,
    ),
    Template(
        construct="Find the median of an even number of values",
        subject=SUBJECT,
        texts=("Find the median of $listed", 'The marks of six pupils are "$listed". What is the median mark?'),
        draw=draw_list(6),
        right=lambda listed: Fraction(sum(sorted(listed)[2:4]), 2),
        rules={
            UNSORTED: lambda listed: Fraction(sum(listed[2:4]), 2),
            "Takes the lower of two middle values as the median": lambda listed: sorted(listed)[2],
            "Adds the two middle values without halving": lambda listed: sum(sorted(listed)[2:4]),
        },
        thoughts=(
            "looks at what stands third and fourth as they were given",
            "sorts them and says what stands third",
            "sorts them and finds the sum of what stands third and fourth",
        ),
        show=show_text,
    ),
    Template(
        construct="Find the mean of a list of values",
        subject=SUBJECT,
        texts=("Calculate the mean of $listed", "$name saves these amounts, in pounds: $listed. What is the mean?"),
        draw=draw_list(5),
        right=lambda listed: Fraction(sum(listed), 5),
        rules={
            FORGETS_DIVISION: lambda listed: sum(listed),
            "Finds the median when asked for the mean": lambda listed: sorted(listed)[2],
            "Averages only the largest and the smallest value": lambda listed: Fraction(max(listed) + min(listed), 2),
            "Divides by two whenever an average is asked for": lambda listed: Fraction(sum(listed), 2),
        },
        thoughts=(
            "finds the sum and ends there",
            "sorts them and says what stands third",
            "finds the sum of the least and the greatest, ÷ 2; the others are never used",
            "finds the sum of all five, but then ÷ 2",
        ),
        show=show_text,
    ),
    Template(
        construct="Find the range of a list of values",
        subject=SUBJECT,
        texts=("What is the range of these numbers? $listed", "Find the range.\n$listed"),
        draw=draw_list(6),
        right=lambda listed: max(listed) - min(listed),
        rules={
            "Takes the difference of the first and the last value as the range": lambda listed: abs(
                listed[-1] - listed[0]
            ),
            "Gives the largest value as the range": lambda listed: max(listed),
            "Counts the values to find the range": lambda listed: len(listed),
        },
        thoughts=(
            "subtracts what stands at one end of the list from what stands at the other end, unsorted",
            "says the greatest and does not subtract the least",
            "sees that there are six of them and says 6",
        ),
        show=show_text,
    ),
    Template(
        construct="Find the mean from a frequency table",
        subject=SUBJECT,
        texts=(
            "In 20 spins a spinner showed 1, 2, 3 and 4 this often, in that order: $listed. What was the mean score?",
            "Scores of 1, 2, 3 and 4 have the frequencies $listed, in that order.\nCalculate the mean score.",
        ),
        draw=draw_frequencies,
        right=lambda listed: Fraction(weigh(listed), 20),
        rules={
            "Averages the frequencies instead of the values": lambda listed: Fraction(sum(listed), 4),
            "Divides by the number of rows instead of the total frequency": lambda listed: Fraction(weigh(listed), 4),
            "Averages the values in a table without regard to their frequencies": lambda listed: Fraction(10, 4),
            FORGETS_DIVISION: weigh,
        },
        thoughts=(
            "finds the sum of $listed, ÷ 4; 1, 2, 3 and 4 are never used",
            "finds the right sum, but ÷ 4 in place of ÷ 20",
            "finds 1 + 2 + 3 + 4, ÷ 4; $listed is never used",
            "finds the right sum and ends there",
        ),
        show=show_text,
    ),
    Template(
        construct="Combine the means of two groups",
        subject=SUBJECT,
        texts=(
            "$n boys have a mean mark of $x. $m girls have a mean mark of $y. What is the mean mark of all of them?",
            "The mean of $n numbers is $x. The mean of another $m numbers is $y. Find the mean of all the numbers.",
        ),
        draw=draw_groups,
        right=lambda n, m, x, y: Fraction(n * x + m * y, n + m),
        rules={
            "Averages two means without regard to the size of the groups": lambda n, m, x, y: Fraction(x + y, 2),
            "Adds two means to combine them": lambda n, m, x, y: x + y,
            FORGETS_DIVISION: lambda n, m, x, y: n * x + m * y,
        },
        thoughts=(
            "finds ($x + $y) ÷ 2; $n and $m are never used",
            "finds $x + $y",
            "finds $n × $x + $m × $y and ends there",
        ),
        show=show_text,
    ),
)
