"""Asks for sums, products and quotients of fractions, with the usual wrong rules.

Reading: Hart (ed.), CSMS (1981); Kerslake, Fractions: Children's Strategies and Errors (1986); Ashlock.
"""

from fractions import Fraction

from training.synthesis.malrules.show import show_fraction
from training.synthesis.malrules.template import Template

SUBJECT = "Fraction arithmetic"

SAME_NUMERATORS = "Changes to a common denominator but leaves the numerators as they were"
LARGER_DENOMINATOR = "Keeps the larger of two denominators without changing the numerators"


def draw_two(r) -> dict[str, int]:
    """Two proper fractions a/b and c/d in lowest terms, with different denominators; a/b is the larger."""
    proper = sorted({Fraction(p, q) for q in range(2, 10) for p in range(1, q)})
    first, second = sorted(r.sample(proper, 2), reverse=True)
    if first.denominator == second.denominator:
        return draw_two(r)
    return {"a": first.numerator, "b": first.denominator, "c": second.numerator, "d": second.denominator}


def divide(numerator: int, denominator: int) -> Fraction | None:
    """A positive fraction, or None where the wrong rule leads to zero or below."""
    return Fraction(numerator, denominator) if numerator > 0 and denominator > 0 else None


TEMPLATES = (
    Template(
        construct="Add fractions with different denominators",
        subject=SUBJECT,
        texts=(
            r"Work out \( \frac{$a}{$b}+\frac{$c}{$d} \), giving your answer in its simplest form.",
            ("Calculate, and simplify where possible:\n" r"\( \frac{$a}{$b}+\frac{$c}{$d} \)"),
            (
                r"$name eats \( \frac{$a}{$b} \) of one cake and \( \frac{$c}{$d} \) of another, equally large cake. "
                "How much cake is that altogether?"
            ),
        ),
        draw=draw_two,
        right=lambda a, b, c, d: Fraction(a, b) + Fraction(c, d),
        rules={
            "Adds the numerators and the denominators when adding fractions": lambda a, b, c, d: divide(a + c, b + d),
            SAME_NUMERATORS: lambda a, b, c, d: divide(a + c, b * d),
            LARGER_DENOMINATOR: lambda a, b, c, d: divide(a + c, max(b, d)),
            "Multiplies across when adding fractions": lambda a, b, c, d: divide(a * c, b * d),
        },
        thoughts=(
            "puts $a + $c on top and $b + $d underneath",
            "finds $b × $d for the bottom, and puts $a + $c, not scaled, on top",
            "uses the greater one of $b and $d as bottom and puts $a + $c on top",
            "puts $a × $c on top and $b × $d underneath",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Subtract fractions with different denominators",
        subject=SUBJECT,
        texts=(
            r"Work out \( \frac{$a}{$b}-\frac{$c}{$d} \), giving your answer in its simplest form.",
            r"By how much is \( \frac{$a}{$b} \) larger than \( \frac{$c}{$d} \) ?",
        ),
        draw=draw_two,
        right=lambda a, b, c, d: Fraction(a, b) - Fraction(c, d),
        rules={
            "Subtracts the numerators and the denominators when subtracting fractions": lambda a, b, c, d: divide(
                a - c, abs(b - d)
            ),
            SAME_NUMERATORS: lambda a, b, c, d: divide(a - c, b * d),
            LARGER_DENOMINATOR: lambda a, b, c, d: divide(a - c, max(b, d)),
        },
        thoughts=(
            "puts the gap of $a and $c on top, and that of $b and $d underneath",
            "finds $b × $d for the bottom, and puts $a - $c, not scaled, on top",
            "uses the greater one of $b and $d as bottom and puts $a - $c on top",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Multiply fractions",
        subject=SUBJECT,
        texts=(
            r"Work out \( \frac{$a}{$b} \times \frac{$c}{$b} \)",
            r"What is \( \frac{$a}{$b} \) of \( \frac{$c}{$b} \), in its lowest terms?",
        ),
        draw=lambda r: {"b": (b := r.randint(4, 11)), "a": r.randint(1, b - 1), "c": r.randint(1, b - 1)},
        right=lambda a, b, c: Fraction(a * c, b * b),
        rules={
            "Keeps the common denominator when multiplying fractions": lambda a, b, c: Fraction(a * c, b),
            "Cross-multiplies instead of multiplying straight across": lambda a, b, c: Fraction(a, c),
            "Adds fractions when asked to multiply them": lambda a, b, c: Fraction(a + c, b),
        },
        thoughts=(
            "puts $a × $c on top and lets $b stay underneath, as both have it",
            "pairs $a with the lower $b and the other $b with $c, as in a division",
            "puts $a + $c on top of $b, as if × were a plus",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Multiply a fraction by a whole number",
        subject=SUBJECT,
        texts=(
            r"Work out \( $n \times \frac{$a}{$b} \)",
            r"A lap takes \( \frac{$a}{$b} \) of an hour. How many hours do $n laps take, as a single fraction?",
        ),
        draw=lambda r: {"n": r.randint(2, 9), "b": (b := r.randint(3, 12)), "a": r.randint(1, b - 1)},
        right=lambda n, a, b: Fraction(n * a, b),
        rules={
            "Multiplies both numerator and denominator by a whole number": lambda n, a, b: Fraction(n * a, n * b),
            "Multiplies only the denominator by a whole number": lambda n, a, b: Fraction(a, n * b),
            "Adds a whole number to the numerator instead of multiplying": lambda n, a, b: Fraction(n + a, b),
            "Reads a whole number times a fraction as a mixed number": lambda n, a, b: n + Fraction(a, b),
        },
        thoughts=(
            "takes top and bottom times $n, so that $a and $b grow alike",
            "lets $a stand on top and puts $n × $b underneath",
            "puts $n + $a on top of $b",
            "sees $n wholes and $a of $b parts more",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Divide a fraction by a fraction",
        subject=SUBJECT,
        texts=(
            r"Work out \( \frac{$a}{$b} \div \frac{$c}{$d} \)",
            ("Calculate, giving the simplest form:\n" r"\( \frac{$a}{$b} \div \frac{$c}{$d} \)"),
        ),
        draw=draw_two,
        right=lambda a, b, c, d: Fraction(a * d, b * c),
        rules={
            "Turns the first fraction upside down instead of the second when dividing": lambda a, b, c, d: Fraction(
                b * c, a * d
            ),
            "Multiplies straight across when dividing fractions": lambda a, b, c, d: Fraction(a * c, b * d),
            "Turns both fractions upside down when dividing": lambda a, b, c, d: Fraction(b * d, a * c),
        },
        thoughts=(
            "flips the one before ÷ and not the one behind it: $b × $c over $a × $d",
            "puts $a × $c on top and $b × $d underneath, without flipping",
            "flips each of them: $b × $d over $a × $c",
        ),
        show=show_fraction,
    ),
)
