"""Asks for calculations with several operations, with the usual wrong orders.

Reading: Linchevski and Livneh (1999) on structure sense.
"""

from training.synthesis.malrules.indices import DROPS_INDEX, POWER_OF_PRODUCT, TIMES_INDEX
from training.synthesis.malrules.show import show_maths, show_text
from training.synthesis.malrules.template import Template, draw_distinct

SUBJECT = "Order of operations"

LEFT_TO_RIGHT = "Works strictly from left to right, ignoring the order of operations"
ADDS_EVERYTHING = "Adds every number in sight, whatever the signs say"
MULTIPLIES_EVERYTHING = "Multiplies every number as soon as a calculation contains a multiplication"
STOPS_EARLY = "Carries out the first step and leaves the rest of the calculation out"
ADDS_OUTSIDE = "Adds the number in front of a bracket instead of multiplying by it"

TEMPLATES = (
    Template(
        construct="Carry out an addition followed by a multiplication",
        subject=SUBJECT,
        texts=(
            r"What is the value of \( $a+$b \times $c \) ?",
            ("Calculate:\n" r"\( $a+$b \times $c \)"),
            r'$name types "\( $a+$b \times $c \)" into a scientific calculator. Which answer appears?',
        ),
        draw=draw_distinct("abc", range(2, 13)),
        right=lambda a, b, c: a + b * c,
        rules={
            LEFT_TO_RIGHT: lambda a, b, c: (a + b) * c,
            ADDS_EVERYTHING: lambda a, b, c: a + b + c,
            MULTIPLIES_EVERYTHING: lambda a, b, c: a * b * c,
            STOPS_EARLY: lambda a, b, c: b * c,
        },
        thoughts=(
            "does $a + $b first because it is read first, and multiplies the sum by $c",
            "takes the sum of all three, $a + $b + $c, as if × were a plus",
            "forms the product $a × $b × $c, as if + were a times",
            "finds $b × $c and ends there; $a is never used",
        ),
        show=show_maths,
    ),
    Template(
        construct="Carry out a subtraction followed by an addition",
        subject=SUBJECT,
        texts=(r"Work out \( $a-$b+$c \)", r"Complete the calculation, then choose: \( $a-$b+$c= \)"),
        draw=lambda r: {"a": r.randint(20, 60), "b": r.randint(5, 12), "c": r.randint(2, 7)},
        right=lambda a, b, c: a - b + c,
        rules={
            "Believes that addition has to be done before subtraction": lambda a, b, c: a - (b + c),
            ADDS_EVERYTHING: lambda a, b, c: a + b + c,
            STOPS_EARLY: lambda a, b, c: a - b,
        },
        thoughts=(
            "finds $b + $c and takes this sum away from $a",
            "takes the sum $a + $b + $c, reading the minus as a plus",
            "finds $a - $b and ends there; $c is never used",
        ),
        show=show_maths,
    ),
    Template(
        construct="Carry out a division followed by a multiplication",
        subject=SUBJECT,
        texts=(r"Work out \( $a \div $b \times $c \)", r"Without a calculator, find \( $a \div $b \times $c \)"),
        draw=lambda r: {"b": (b := r.randint(2, 6)), "c": (c := r.randint(2, 6)), "a": b * c * r.randint(2, 7)},
        right=lambda a, b, c: a // b * c,
        rules={
            "Believes that multiplication always has to be done before division": lambda a, b, c: a // (b * c),
            MULTIPLIES_EVERYTHING: lambda a, b, c: a * b * c,
            STOPS_EARLY: lambda a, b, c: a // b,
        },
        thoughts=(
            "finds $b × $c and divides $a by this product",
            "forms the product $a × $b × $c, reading ÷ as a times",
            "finds $a ÷ $b and ends there; $c is never used",
        ),
        show=show_text,
    ),
    Template(
        construct="Carry out a calculation with a power",
        subject=SUBJECT,
        texts=(r"Calculate \( $a \times $b^{2} \)", ("Find the value of this expression:\n" r"\( $a \times $b^{2} \)")),
        draw=draw_distinct("ab", range(3, 13)),
        right=lambda a, b: a * b * b,
        rules={
            POWER_OF_PRODUCT: lambda a, b: (a * b) ** 2,
            TIMES_INDEX: lambda a, b: a * b * 2,
            DROPS_INDEX: lambda a, b: a * b,
            "Adds instead of multiplying when a power is involved": lambda a, b: a + b * b,
        },
        thoughts=(
            "forms $a × $b and squares the whole product",
            "takes the small 2 as a factor: $a × $b × 2",
            "does not see the small 2 and finds $a × $b",
            "squares $b as one should, but then puts $a to it with a plus",
        ),
        show=show_maths,
    ),
    Template(
        construct="Carry out a calculation with brackets",
        subject=SUBJECT,
        texts=(r"What is \( $a($b+$c) \) ?", r"Work out \( $a \times($b+$c) \), showing each step."),
        draw=draw_distinct("abc", range(2, 13)),
        right=lambda a, b, c: a * (b + c),
        rules={
            "Works as if brackets were not there": lambda a, b, c: a * b + c,
            ADDS_OUTSIDE: lambda a, b, c: a + b + c,
            MULTIPLIES_EVERYTHING: lambda a, b, c: a * b * c,
            STOPS_EARLY: lambda a, b, c: b + c,
        },
        thoughts=(
            "finds $a × $b and then $c more than that",
            "reads $a followed by a parenthesis as a plus: $a + $b + $c",
            "forms the product $a × $b × $c",
            "finds $b + $c and ends there; $a is never used",
        ),
        show=show_maths,
    ),
)
