"""Asks for column arithmetic with whole numbers, with the classic bugs.

Reading: Brown and Burton (1978) and VanLehn, Mind Bugs (1990), for subtraction; Ashlock, Error Patterns in
Computation, for addition and multiplication.
"""

from training.synthesis.malrules.show import show_text
from training.synthesis.malrules.template import Template

SUBJECT = "Written methods"


def subtract_by_column(a: int, b: int, column) -> int:
    """Apply `column` to each pair of digits of two three-digit numbers, and read the results off as a number."""
    digits = [column(a // place % 10, b // place % 10) for place in (100, 10, 1)]
    return digits[0] * 100 + digits[1] * 10 + digits[2]


def draw_subtraction(r) -> dict[str, int]:
    """Three digits each; the units and the tens both need exchanging."""
    top = [r.randint(5, 9), r.randint(1, 5), r.randint(0, 4)]
    bottom = [r.randint(1, 4), r.randint(top[1] + 1, 9), r.randint(top[2] + 1, 9)]
    return {"a": int("".join(map(str, top))), "b": int("".join(map(str, bottom)))}


def draw_addition(r) -> dict[str, int]:
    """Two digits each; the units pass ten, the tens do not."""
    units = r.randint(2, 9)
    tens = r.randint(1, 7)
    return {"a": 10 * tens + units, "b": 10 * r.randint(1, 8 - tens) + r.randint(11 - units, 9)}


TEMPLATES = (
    Template(
        construct="Subtract three-digit numbers with exchanging",
        subject=SUBJECT,
        texts=(
            r"Work out \( $a-$b \)",
            ("Use the column method to find\n" r"\( $a-$b \)"),
            "A shop had $a eggs, and sold $b of them. How many eggs are left?",
        ),
        draw=draw_subtraction,
        right=lambda a, b: a - b,
        rules={
            "Takes the smaller digit from the larger digit in every column": lambda a, b: subtract_by_column(
                a, b, lambda top, bottom: abs(top - bottom)
            ),
            "Exchanges ten for a column without reducing the column next to it": lambda a, b: subtract_by_column(
                a, b, lambda top, bottom: (top - bottom) % 10
            ),
            "Writes zero in a column where the lower digit is the larger": lambda a, b: subtract_by_column(
                a, b, lambda top, bottom: max(top - bottom, 0)
            ),
            "Adds the columns when asked to subtract": lambda a, b: a + b,
        },
        thoughts=(
            "finds the gap of the upper and lower figure for units, tens and hundreds, whichever of them is above",
            "borrows 10 where the upper figure is too small, but never lowers the neighbouring figure by 1",
            "puts 0 wherever the figure below is too big to be taken away",
            "finds $a + $b, as if - were a plus",
        ),
        show=show_text,
    ),
    Template(
        construct="Add two-digit numbers with carrying",
        subject=SUBJECT,
        texts=(
            r"Work out \( $a+$b \)",
            "$name has $a stickers, and is given $b more. How many does $name have now?",
        ),
        draw=draw_addition,
        right=lambda a, b: a + b,
        rules={
            "Writes both digits of a column total instead of carrying": lambda a, b: int(
                f"{a // 10 + b // 10}{a % 10 + b % 10}"
            ),
            "Drops the digit that should be carried": lambda a, b: (a // 10 + b // 10) * 10 + (a + b) % 10,
            "Carries the units digit and writes the tens digit of a column total": lambda a, b: (
                (a // 10 + b // 10 + (a + b) % 10) * 10 + 1
            ),
        },
        thoughts=(
            "puts the whole sum of the units behind the whole sum of the tens",
            "puts down the last figure of the units' sum and forgets the 1 for the tens",
            "puts down the 1 of what the last two figures make, and takes the other figure over to the left",
        ),
        show=show_text,
    ),
    Template(
        construct="Multiply a two-digit number by a one-digit number",
        subject=SUBJECT,
        texts=(
            r"Work out \( $a \times $b \)",
            "There are $b boxes, each with $a pencils. How many pencils are there altogether?",
        ),
        draw=lambda r: {"a": 10 * r.randint(2, 9) + r.randint(3, 9), "b": r.randint(4, 9)},
        right=lambda a, b: a * b,
        rules={
            "Adds the carried digit before multiplying the next column": lambda a, b: (
                (a // 10 + a % 10 * b // 10) * b * 10 + a % 10 * b % 10
            ),
            "Forgets to add on the carried digit in a multiplication": lambda a, b: a // 10 * b * 10 + a % 10 * b % 10,
            "Writes the products of the columns side by side": lambda a, b: int(f"{a // 10 * b}{a % 10 * b}"),
            "Multiplies only the units digit and keeps the tens as they are": lambda a, b: a // 10 * 10 + a % 10 * b,
        },
        thoughts=(
            "puts the tens of the first product to the tens of $a, and only then takes those times $b",
            "of the units' product keeps just the last figure; its tens are lost",
            "finds units times $b and tens times $b and puts one behind the other",
            "takes just the last figure of $a times $b, and lets its first figure stand",
        ),
        show=show_text,
    ),
)
