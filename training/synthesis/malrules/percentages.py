"""Asks for percentages, percentage changes and their reversal, with the usual wrong rules.

Reading: Parker and Leinhardt, Percent: A Privileged Proportion (1995).
"""

from fractions import Fraction

from training.synthesis.malrules.fraction_meaning import PART_LEFT
from training.synthesis.malrules.show import show_between, show_money, show_text
from training.synthesis.malrules.template import Template, decimal

SUBJECT = "Percentages"

TENTHS = "Turns a percentage into a decimal by dividing by ten"
AS_AMOUNT = "Treats a percentage as an amount to add or take away"
ONLY_CHANGE = "Gives the change instead of the amount after the change"
ONLY_LAST = "Applies the second of two changes to the starting amount, forgetting the first"
WRONG_DIRECTION = "Takes a percentage off when asked to put it on"

TEMPLATES = (
    Template(
        construct="Find a percentage of an amount",
        subject=SUBJECT,
        texts=(
            r"Work out \( $p \% \) of $n",
            "A school has $n pupils, of whom $p% come by bus. How many pupils come by bus?",
        ),
        draw=lambda r: {"p": r.choice((4, 5, 15, 20, 25, 30, 40, 60, 75)), "n": 100 * r.randint(1, 9)},
        right=lambda p, n: n * p // 100,
        rules={
            "Divides by the number in front of the percent sign": lambda p, n: decimal(Fraction(n, p)),
            AS_AMOUNT: lambda p, n: n - p,
            TENTHS: lambda p, n: n * p // 10,
            PART_LEFT: lambda p, n: n - n * p // 100,
        },
        thoughts=(
            "finds $n ÷ $p",
            "finds $n - $p, as if $p were so many things",
            "finds $n × $p ÷ 10, so takes $p tenths for $p hundredths",
            "finds the share as one should, but then subtracts it from $n",
        ),
        show=show_text,
    ),
    Template(
        construct="Increase an amount by a percentage",
        subject=SUBJECT,
        texts=(
            r"Increase £$n by \( $p \% \)",
            'A notice says "All prices up by $p%". What is the new price of a coat that was £$n?',
        ),
        draw=lambda r: {"p": r.choice((5, 15, 20, 25, 30, 40)), "n": 20 * r.randint(2, 40)},
        right=lambda p, n: n + Fraction(n * p, 100),
        rules={
            AS_AMOUNT: lambda p, n: n + p,
            ONLY_CHANGE: lambda p, n: Fraction(n * p, 100),
            WRONG_DIRECTION: lambda p, n: n - Fraction(n * p, 100),
            TENTHS: lambda p, n: n + Fraction(n * p, 10),
        },
        thoughts=(
            "finds $n + $p, as if $p were pounds",
            "finds $p hundredths of $n and ends there",
            "finds $p hundredths of $n and subtracts them from $n",
            "finds $p tenths of $n in place of hundredths, and puts them to $n",
        ),
        show=show_money,
    ),
    Template(
        construct="Combine two percentage increases",
        subject=SUBJECT,
        texts=(
            "£$n is put into a fund. It grows by $p% in the first year and by $q% in the second. How much is it then?",
            "A rent of £$n goes up by $p%, and a year later by another $q%.\nWhat is the rent now?",
        ),
        draw=lambda r: {"p": r.choice((5, 10, 20)), "q": r.choice((15, 25, 30, 40)), "n": 100 * r.randint(2, 20)},
        right=lambda p, q, n: Fraction(n * (100 + p) * (100 + q), 10000),
        rules={
            "Adds percentages of different amounts": lambda p, q, n: Fraction(n * (100 + p + q), 100),
            ONLY_LAST: lambda p, q, n: Fraction(n * (100 + q), 100),
            "Multiplies two percentages to combine them": lambda p, q, n: Fraction(n * (100 + p * q), 100),
        },
        thoughts=(
            "finds $p + $q and lets $n grow once by that many hundredths",
            "lets $n grow by $q hundredths, as if the year before had brought nothing",
            "finds $p × $q and lets $n grow by that many hundredths",
        ),
        show=show_money,
    ),
    Template(
        construct="Follow a percentage rise by an equal percentage fall",
        subject=SUBJECT,
        texts=(
            "A price of £$n rises by $p%, then falls by $p%. What is the price in the end?",
            '"Up $p% on Monday, down $p% on Tuesday!" says $name. A share cost £$n before. What does it cost now?',
        ),
        draw=lambda r: {"p": r.choice((10, 20, 25, 30, 40, 50)), "n": 20 * r.randint(2, 50)},
        right=lambda p, n: Fraction(n * (10000 - p * p), 10000),
        rules={
            "Believes that a rise and a fall by the same percentage cancel out": lambda p, n: n,
            ONLY_LAST: lambda p, n: Fraction(n * (100 - p), 100),
            "Applies the first of two changes and forgets the second": lambda p, n: Fraction(n * (100 + p), 100),
        },
        thoughts=(
            "says that going up $p and down $p hundredths leads back to £$n",
            "takes $p hundredths off £$n, as if it had not gone up before",
            "lets £$n go up by $p hundredths and ends there",
        ),
        show=show_money,
    ),
    Template(
        construct="Find the original amount before a percentage decrease",
        subject=SUBJECT,
        texts=(
            "In a sale everything is $p% off. A jacket now costs £$s. What did it cost before the sale?",
            "After a fall of $p%, a bike is worth £$s. What was it worth before, in pounds?",
        ),
        draw=lambda r: {"p": (p := r.choice((10, 15, 20, 25, 30, 40))), "s": (100 - p) * r.randint(1, 9)},
        right=lambda p, s: Fraction(100 * s, 100 - p),
        rules={
            "Adds the percentage of the reduced amount to undo a percentage decrease": lambda p, s: Fraction(
                s * (100 + p), 100
            ),
            "Takes the percentage off once more when asked for the original amount": lambda p, s: Fraction(
                s * (100 - p), 100
            ),
            AS_AMOUNT: lambda p, s: s + p,
        },
        thoughts=(
            "finds $p hundredths of £$s, and puts them to £$s",
            "finds $p hundredths of £$s, and subtracts them from £$s",
            "finds $s + $p, as if $p were pounds",
        ),
        show=show_money,
    ),
    Template(
        construct="Write one number as a percentage of another",
        subject=SUBJECT,
        texts=(
            "$name scores $a out of $b in a test. What percentage is that?",
            "Of $b seeds, $a grew into plants. Write this as a percentage.",
        ),
        draw=lambda r: {"b": (b := r.choice((10, 20, 25, 40, 50, 80))), "a": r.randint(b // 4, b - 1)},
        right=lambda a, b: Fraction(100 * a, b),
        rules={
            "Reads the part as a percentage, whatever the total is": lambda a, b: a,
            "Takes one percent off a hundred for each one missing": lambda a, b: 100 - (b - a),
            PART_LEFT: lambda a, b: 100 - Fraction(100 * a, b),
        },
        thoughts=(
            "puts % behind $a, without a look at $b",
            "sees how many of $b are wanting and subtracts so many from 100",
            "finds the share of those that are not meant, so 100 less what is right",
        ),
        show=show_between("", "%"),
    ),
    Template(
        construct="Write a decimal as a percentage",
        subject=SUBJECT,
        texts=("Write $v as a percentage.", "Which percentage is equal to $v?"),
        draw=lambda r: {"v": Fraction(r.choice([k for k in range(101, 999) if k % 10]), 1000)},
        right=lambda v: v * 100,
        rules={
            "Reads the digits behind the decimal point as the percentage": lambda v: v * 1000,
            "Moves the digits one place to change a decimal to a percentage": lambda v: v * 10,
            "Writes a percent sign behind the unchanged decimal": lambda v: v,
        },
        thoughts=(
            "drops the dot of $v and puts % to what is left",
            "finds $v × 10 and puts % to it",
            "puts % to $v itself",
        ),
        show=show_between("", "%"),
    ),
)
