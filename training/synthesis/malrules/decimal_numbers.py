"""Asks for the order of decimals and for calculations with them, with the usual wrong rules.

Reading: Stacey and Steinle, and Resnick et al. (1989), for longer-is-larger and shorter-is-larger; Bell, Fischbein and
Greer (1984) for multiplication that must enlarge.
"""

from fractions import Fraction
from itertools import permutations

from training.synthesis.malrules.indices import SHIFTS_WRONG_WAY
from training.synthesis.malrules.show import show_list, show_text
from training.synthesis.malrules.template import Template, decimal

SUBJECT = "Decimal numbers"

IGNORES_POINT = "Ignores the decimal point and calculates with whole numbers"


def draw_lengths(r) -> dict[str, tuple[str, ...]]:
    """Decimals with one to four places, one of them with a zero behind the point; none ends in a zero."""
    one, two, three, four = (r.choice([k for k in range(10**n, 10 ** (n + 1)) if k % 10]) for n in range(4))
    return {"listed": tuple(r.sample([f"0.{one}", f"0.{two}", f"0.0{three}", f"0.{four}"], 4))}


def digits(text: str) -> str:
    return text.partition(".")[2]


TEMPLATES = (
    Template(
        construct="Put decimals with different numbers of places in order",
        subject=SUBJECT,
        texts=(
            "Put these decimals in order, smallest first: $listed",
            "Order the numbers from the smallest to the largest:\n$listed",
        ),
        draw=draw_lengths,
        right=lambda listed: tuple(sorted(listed, key=Fraction)),
        rules={
            "Believes that a decimal with more digits is larger, reading them as a whole number": lambda listed: tuple(
                sorted(listed, key=lambda text: int(digits(text)))
            ),
            "Believes that a decimal with fewer digits is larger": lambda listed: tuple(
                sorted(listed, key=lambda text: -len(text))
            ),
            "Ignores zeros straight behind the decimal point": lambda listed: tuple(
                sorted(listed, key=lambda text: Fraction("0." + digits(text).lstrip("0")))
            ),
        },
        thoughts=(
            "sorts what stands behind the points as if it were integers: the longest comes out greatest",
            "lets the longest come first and the shortest last, since more places mean tinier pieces",
            "passes over the 0 of a hundredth, as if 0.05 were 0.5",
        ),
        show=show_list,
        choices=lambda listed: list(permutations(listed)),
    ),
    Template(
        construct="Multiply a decimal by a power of ten",
        subject=SUBJECT,
        texts=(r"Work out \( $v \times $p \)", "What is $v multiplied by $p?"),
        draw=lambda r: {
            "v": Fraction(r.choice([k for k in range(111, 999) if k % 10]), 100),
            "p": r.choice((100, 1000)),
        },
        right=lambda v, p: v * p,
        rules={
            "Writes zeros at the end of a decimal to multiply it by a power of ten": lambda v, p: (
                show_text(v) + str(p)[1:]
            ),
            "Multiplies only the digits before the decimal point": lambda v, p: v // 1 * p + v % 1,
            SHIFTS_WRONG_WAY: lambda v, p: v / p,
            "Moves the digits one place, whatever the power of ten": lambda v, p: v * 10,
        },
        thoughts=(
            "hangs the 0s of $p behind $v and lets the point stand",
            "takes what is left of the dot times $p and lets the rest stand",
            "shifts to the right, so that $v becomes smaller: $v ÷ $p",
            "finds $v × 10 although there is $p",
        ),
        show=show_text,
    ),
    Template(
        construct="Add decimals with different numbers of places",
        subject=SUBJECT,
        texts=(
            r"Work out \( $v+$w \)",
            "$name walks $v km, has a rest, and walks another $w km. How far does $name walk, in km?",
        ),
        draw=lambda r: {
            "v": Fraction(10 * r.randint(1, 9) + r.randint(1, 9), 10),
            "w": Fraction(r.randint(111, 999), 100),
        },
        right=lambda v, w: v + w,
        rules={
            "Lines up the last digits instead of the decimal points": lambda v, w: (v * 10 + w * 100) / 100,
            "Adds the digits before and behind the point as two separate whole numbers": lambda v, w: (
                f"{v // 1 + w // 1}.{v % 1 * 10 + w % 1 * 100}"
            ),
            IGNORES_POINT: lambda v, w: v * 10 + w * 100,
        },
        thoughts=(
            "sets $v and $w flush right, so that tenths stand above hundredths",
            "finds the sum left of the dot and the sum right of it, and joins the two",
            "drops the dots, sums what is left, and puts no dot back",
        ),
        show=show_text,
    ),
    Template(
        construct="Multiply decimals less than one",
        subject=SUBJECT,
        texts=(r"Work out \( 0.$a \times 0.$b \)", r"What is 0.$a multiplied by 0.$b?"),
        draw=lambda r: {"a": r.randint(2, 9), "b": r.choice((2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14))},
        right=lambda a, b: Fraction(a, 10) * Fraction(f"0.{b}"),
        rules={
            "Gives a product as many decimal places as its longer factor": lambda a, b: (
                a * b * Fraction(1, 10 ** len(str(b)))
            ),
            "Adds decimals when asked to multiply them": lambda a, b: Fraction(a, 10) + Fraction(f"0.{b}"),
            IGNORES_POINT: lambda a, b: a * b,
        },
        thoughts=(
            "finds $a × $b and lets the result end where the longest of the two ends",
            "finds 0.$a + 0.$b, as if × were a plus",
            "drops the dots and finds $a × $b",
        ),
        show=show_text,
    ),
    Template(
        construct="Divide a whole number by a decimal less than one",
        subject=SUBJECT,
        texts=(
            r"Work out \( $n \div 0.$a \)",
            "How many glasses of 0.$a litres can be filled from $n litres of juice?",
        ),
        draw=lambda r: {"a": (a := r.randint(2, 9)), "n": a * r.randint(2, 30)},
        right=lambda n, a: n * 10 // a,
        rules={
            "Believes that division always makes a number smaller": lambda n, a: Fraction(n, 10 * a),
            IGNORES_POINT: lambda n, a: n // a,
            "Multiplies when asked to divide by a decimal": lambda n, a: Fraction(n * a, 10),
        },
        thoughts=(
            "moves the point the way that brings less than $n: $n over ten times $a",
            "drops the dot and finds $n ÷ $a",
            "finds $n × 0.$a, as if ÷ were a times",
        ),
        show=show_text,
    ),
    Template(
        construct="Write a fraction as a decimal",
        subject=SUBJECT,
        texts=(r"Write \( \frac{$a}{$b} \) as a decimal.", r"Which decimal is equal to \( \frac{$a}{$b} \) ?"),
        draw=lambda r: {"b": (b := r.choice((4, 5, 8, 16, 25, 32))), "a": r.randint(1, b - 1)},
        right=lambda a, b: Fraction(a, b),
        rules={
            "Writes numerator and denominator on either side of a decimal point": lambda a, b: f"{a}.{b}",
            "Writes the denominator behind the decimal point": lambda a, b: f"0.{b}",
            "Writes the numerator behind the decimal point": lambda a, b: f"0.{a}",
            "Divides the denominator by the numerator": lambda a, b: decimal(Fraction(b, a)),
        },
        thoughts=(
            "sets $a left and $b right of a dot",
            "sets 0 and a dot, and then $b; $a is never used",
            "sets 0 and a dot, and then $a; $b is never used",
            "finds $b ÷ $a",
        ),
        show=show_text,
    ),
)
