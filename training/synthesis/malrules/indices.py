"""Asks about powers, roots and standard form, with the usual wrong rules.

Reading: no single source; these are commonplaces of the classroom.
"""

from fractions import Fraction

from training.synthesis.malrules.show import show_fraction, show_maths, show_power, show_text
from training.synthesis.malrules.template import Template

SUBJECT = "Indices"

TIMES_INDEX = "Multiplies the base by the index instead of raising it to that power"
POWER_OF_PRODUCT = "Applies an index to everything on its left, not only to the base it is written on"
DROPS_INDEX = "Ignores an index and works with the base alone"
SHIFTS_WRONG_WAY = "Moves the digits the wrong way when multiplying by a power of ten"
TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (9, 40, 41), (12, 35, 37), (11, 60, 61))


def draw_triple(r) -> dict[str, int]:
    """A right-angled triangle with whole sides: legs a and b, hypotenuse c."""
    a, b, c = r.choice(TRIPLES)
    k = r.randint(1, 4)
    a, b = r.sample((a, b), 2)
    return {"a": k * a, "b": k * b, "c": k * c}


TEMPLATES = (
    Template(
        construct="Multiply powers with the same base",
        subject=SUBJECT,
        texts=(
            r"Write as a single power: \( $a^{$m} \times $a^{$n} \)",
            ("Simplify the following, leaving your answer in index form:\n" r"\( $a^{$m} \times $a^{$n} \)"),
            r"$name wants to write \( $a^{$m} \times $a^{$n} \) as one power. What should $name write?",
        ),
        draw=lambda r: {"a": r.randint(3, 11), "m": r.randint(2, 9), "n": r.randint(2, 9)},
        right=lambda a, m, n: (a, m + n),
        rules={
            "Multiplies the indices when multiplying powers of the same base": lambda a, m, n: (a, m * n),
            "Multiplies the bases together as well as adding the indices": lambda a, m, n: (a * a, m + n),
            "Adds the bases when multiplying powers": lambda a, m, n: (2 * a, m + n),
        },
        thoughts=(
            "keeps $a and finds $m × $n for the small number above",
            "finds $a × $a below and $m + $n above",
            "finds $a + $a below and $m + $n above",
        ),
        show=show_power,
    ),
    Template(
        construct="Divide powers with the same base",
        subject=SUBJECT,
        texts=(
            r"Write as a single power: \( $a^{$m} \div $a^{$n} \)",
            r"Which of these is equal to \( \frac{$a^{$m}}{$a^{$n}} \) ?",
        ),
        draw=lambda r: {"a": r.randint(3, 11), "m": r.choice((8, 9, 10, 12, 14, 15)), "n": r.randint(2, 5)},
        right=lambda a, m, n: (a, m - n),
        rules={
            "Divides the indices when dividing powers of the same base": lambda a, m, n: None if m % n else (a, m // n),
            "Cancels the bases to one when dividing powers": lambda a, m, n: (1, m - n),
            "Adds the indices whether powers are multiplied or divided": lambda a, m, n: (a, m + n),
        },
        thoughts=(
            "keeps $a and finds $m ÷ $n for the small number above",
            "finds $a ÷ $a = 1 below and $m - $n above",
            "keeps $a and finds $m + $n for the small number above",
        ),
        show=show_power,
    ),
    Template(
        construct="Raise a power to another power",
        subject=SUBJECT,
        texts=(r"Simplify \( \left($a^{$m}\right)^{$n} \)", r"\( \left($a^{$m}\right)^{$n} = \) ?"),
        draw=lambda r: {"a": r.randint(3, 19), "m": r.randint(2, 7), "n": r.randint(2, 4)},
        right=lambda a, m, n: (a, m * n),
        rules={
            "Adds the indices when raising a power to another power": lambda a, m, n: (a, m + n),
            "Raises the index itself to the outer power": lambda a, m, n: (a, m**n),
            "Multiplies the base by the outer index": lambda a, m, n: (a * n, m),
        },
        thoughts=(
            "keeps $a and finds $m + $n for the small number above",
            "keeps $a and puts $m to the $n-th, as $m × ... × $m, above",
            "finds $a × $n below and keeps $m above",
        ),
        show=show_power,
    ),
    Template(
        construct="Evaluate a whole-number power",
        subject=SUBJECT,
        texts=(
            r"What is the value of \( $a^{$n} \) ?",
            ('On the board is written "' r"\( $a^{$n} \)" '". Work it out, without a calculator.'),
        ),
        draw=lambda r: {"a": r.randint(2, 12), "n": r.randint(2, 5)},
        right=lambda a, n: a**n,
        rules={
            TIMES_INDEX: lambda a, n: a * n,
            "Swaps the base and the index": lambda a, n: n**a if a < 8 else None,
            "Adds the index to the base": lambda a, n: a + n,
            "Counts multiplication signs instead of factors, so multiplies once too often": lambda a, n: a ** (n + 1),
        },
        thoughts=(
            "finds $a × $n",
            "finds $n × $n × ..., $a times, so reads it the other way round",
            "finds $a + $n",
            "takes $n for how many × there are, so that there are $n + 1 of the $a",
        ),
        show=show_text,
    ),
    Template(
        construct="Use the zero index",
        subject=SUBJECT,
        texts=(r"Work out \( $b \times $a^{0} \)", r"What is \( $b \times $a^{0} \) equal to?"),
        draw=lambda r: {"a": r.randint(2, 12), "b": r.randint(2, 12)},
        right=lambda a, b: b,
        rules={
            "Believes that a power of zero makes zero": lambda a, b: 0,
            DROPS_INDEX: lambda a, b: a * b,
            POWER_OF_PRODUCT: lambda a, b: 1,
        },
        thoughts=(
            "says that $a with a small 0 is nothing, and $b × 0 is nothing as well",
            "does not see the small 0 and finds $b × $a",
            "finds $b × $a and puts all of that to the 0, so that it becomes 1",
        ),
        show=show_maths,
    ),
    Template(
        construct="Evaluate a power with a negative index",
        subject=SUBJECT,
        texts=(r"Evaluate \( $a^{-$n} \)", r"Which of these has the same value as \( $a^{-$n} \) ?"),
        draw=lambda r: {"a": r.randint(2, 12), "n": r.randint(2, 4)},
        right=lambda a, n: Fraction(1, a**n),
        rules={
            "Believes that a negative index makes the answer negative": lambda a, n: -(a**n),
            TIMES_INDEX: lambda a, n: -a * n,
            "Ignores the minus sign of an index": lambda a, n: a**n,
            "Puts the product of base and index under one for a negative index": lambda a, n: Fraction(1, a * n),
        },
        thoughts=(
            "finds $a to the $n-th and writes - before it",
            "finds $a × (-$n)",
            "finds $a to the $n-th, as if there were no - above",
            "finds $a × $n and sets it below 1",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Find the square root of a sum of squares",
        subject=SUBJECT,
        texts=(r"Work out \( \sqrt{$a^{2}+$b^{2}} \)", ("Find the value of:\n" r"\( \sqrt{$a^{2}+$b^{2}} \)")),
        draw=draw_triple,
        right=lambda a, b, c: c,
        rules={
            "Believes that the root of a sum is the sum of the roots": lambda a, b, c: a + b,
            "Halves a number to find its square root": lambda a, b, c: Fraction(c * c, 2),
            "Leaves out the square root at the end": lambda a, b, c: c * c,
        },
        thoughts=(
            "undoes each ² by itself and finds $a + $b",
            "finds $a² + $b² and divides by 2",
            "finds $a² + $b² and ends there",
        ),
        show=show_maths,
    ),
    Template(
        construct="Write a number in standard form as an ordinary number",
        subject=SUBJECT,
        texts=(
            r"Write \( $d \times 10^{$n} \) as an ordinary number.",
            r"A planet is \( $d \times 10^{$n} \) km away, says $name. What is this as an ordinary number?",
        ),
        draw=lambda r: {"d": Fraction(r.choice([k for k in range(11, 99) if k % 10]), 10), "n": r.randint(3, 6)},
        right=lambda d, n: d * 10**n,
        rules={
            "Writes as many zeros after the digits as the power of ten says": lambda d, n: d * 10 * 10**n,
            "Multiplies by ten times the index instead of by a power of ten": lambda d, n: d * 10 * n,
            SHIFTS_WRONG_WAY: lambda d, n: d / 10**n,
        },
        thoughts=(
            "drops the dot of $d and hangs $n 0s behind",
            "finds $d × 10 × $n",
            "shifts to the right, so that it becomes tiny: $d ÷ 10 ÷ 10 ..., $n times",
        ),
        show=show_text,
    ),
)
