"""Asks for equations and inequalities to be solved, with the usual wrong rules.

Reading: Kieran (1981) and Falkner, Levi and Carpenter (1999) on the equals sign.
"""

from fractions import Fraction

from training.synthesis.malrules.order_of_operations import ADDS_EVERYTHING
from training.synthesis.malrules.show import show_fraction, show_maths
from training.synthesis.malrules.template import Template, draw_distinct, whole

SUBJECT = "Equations"

REPEATS = "Repeats an operation on the other side instead of undoing it"
SUBTRACTS_COEFFICIENT = "Subtracts the coefficient instead of dividing by it"
DIVIDES_ONE_TERM = "Divides only one of the terms on a side"
STOPS_BEFORE_LAST = "Stops solving before the last step"


def draw_both_sides(r) -> dict[str, int]:
    """ax + b = cx + d with a larger than c and d larger than b."""
    a, c = sorted(r.sample(range(2, 12), 2), reverse=True)
    b, d = sorted(r.sample(range(1, 40), 2))
    return {"a": a, "b": b, "c": c, "d": d}


TEMPLATES = (
    Template(
        construct="Solve a two-step linear equation",
        subject=SUBJECT,
        texts=(
            r"Solve \( $a x+$b=$c \)",
            r"$name thinks of a number, multiplies by $a, adds $b, and gets $c. Which number?",
        ),
        draw=lambda r: {"a": (a := r.randint(2, 6)), "b": (b := r.randint(2, 12)), "c": a * r.randint(2, 12) + b},
        right=lambda a, b, c: (c - b) // a,
        rules={
            REPEATS: lambda a, b, c: whole(Fraction(c + b, a)),
            SUBTRACTS_COEFFICIENT: lambda a, b, c: c - b - a,
            DIVIDES_ONE_TERM: lambda a, b, c: whole(Fraction(c, a) - b),
            STOPS_BEFORE_LAST: lambda a, b, c: c - b,
        },
        thoughts=(
            "puts $b to $c with a plus and then divides by $a",
            "finds $c - $b and takes $a away from that, too",
            "finds $c ÷ $a and then takes $b away",
            "finds $c - $b and ends there",
        ),
        show=show_maths,
    ),
    Template(
        construct="Solve an equation with the unknown in a fraction",
        subject=SUBJECT,
        texts=(r"Solve \( \frac{x}{$a}+$b=$c \)", ("Find the value of \\( x \\) :\n" r"\( \frac{x}{$a}+$b=$c \)")),
        draw=lambda r: {"a": r.randint(2, 9), "b": (b := r.randint(2, 12)), "c": b + r.randint(2, 12)},
        right=lambda a, b, c: a * (c - b),
        rules={
            REPEATS: lambda a, b, c: a * (c + b),
            STOPS_BEFORE_LAST: lambda a, b, c: c - b,
            "Divides by a denominator instead of multiplying by it": lambda a, b, c: whole(Fraction(c - b, a)),
            "Multiplies only one of the terms of an equation by the denominator": lambda a, b, c: a * c - b,
        },
        thoughts=(
            "puts $b to $c with a plus and takes that times $a",
            "finds $c - $b and ends there",
            "finds $c - $b and then ÷ $a",
            "finds $a × $c and then takes $b away as it stands",
        ),
        show=show_maths,
    ),
    Template(
        construct="Solve an equation with the unknown on both sides",
        subject=SUBJECT,
        texts=(r"Solve \( $a x+$b=$c x+$d \)", r"For which \( x \) are \( $a x+$b \) and \( $c x+$d \) equal?"),
        draw=draw_both_sides,
        right=lambda a, b, c, d: Fraction(d - b, a - c),
        rules={
            "Adds the letter terms of the two sides instead of subtracting": lambda a, b, c, d: Fraction(d - b, a + c),
            "Adds the numbers of the two sides instead of subtracting": lambda a, b, c, d: Fraction(d + b, a - c),
            "Ignores the letter term on the right of an equation": lambda a, b, c, d: Fraction(d - b, a),
        },
        thoughts=(
            "puts $c x to $a x with a plus, and finds $d - $b over $a + $c",
            "puts $b to $d with a plus, and finds that over $a - $c",
            "acts as if $c x were not there, and finds $d - $b over $a",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Find a missing number that makes two sides equal",
        subject=SUBJECT,
        texts=(r"What goes in the box? \( $a+$b=\square+$c \)", r"Make this true: \( $a+$b=\ldots+$c \)"),
        draw=lambda r: {"a": (a := r.randint(4, 30)), "b": (b := r.randint(4, 30)), "c": r.randint(2, a + b - 3)},
        right=lambda a, b, c: a + b - c,
        rules={
            "Reads the equals sign as an instruction to write the answer next": lambda a, b, c: a + b,
            ADDS_EVERYTHING: lambda a, b, c: a + b + c,
            "Copies a number from the other side to keep two sides equal": lambda a, b, c: a,
        },
        thoughts=(
            "finds $a + $b and puts it in the box, without a look at $c",
            "finds $a + $b + $c",
            "puts $a in the box, as it stands before",
        ),
        show=show_maths,
    ),
    Template(
        construct="Solve an inequality with a negative coefficient",
        subject=SUBJECT,
        texts=(r"Solve \( -$a x>$b \)", ("Which of these is the solution?\n" r"\( -$a x>$b \)")),
        draw=lambda r: {"a": (a := r.randint(2, 9)), "k": (k := r.randint(2, 12)), "b": a * k},
        right=lambda a, b, k: f"x<-{k}",
        rules={
            "Keeps the inequality sign when dividing by a negative number": lambda a, b, k: f"x>-{k}",
            "Drops the minus sign of a coefficient when dividing by it": lambda a, b, k: f"x>{k}",
            REPEATS: lambda a, b, k: f"x>{a * b}",
        },
        thoughts=(
            "finds -$k and lets > stand as it was",
            "finds $b ÷ $a = $k, as if $a were positive",
            "takes $b times $a and lets > stand as it was",
        ),
        show=show_maths,
        choices=lambda a, b, k: [f"x<{k}", f"x<-{b}", f"x>-{a + k}", f"x<{b + a}"],
    ),
    Template(
        construct="Make another letter the subject of a formula",
        subject=SUBJECT,
        texts=(r"Make \( x \) the subject of \( y=$a x+$b \)", r"Rearrange \( y=$a x+$b \) to give \( x \)."),
        draw=draw_distinct("ab", range(2, 15)),
        right=lambda a, b: rf"x=\frac{{y-{b}}}{{{a}}}",
        rules={
            REPEATS: lambda a, b: rf"x=\frac{{y+{b}}}{{{a}}}",
            DIVIDES_ONE_TERM: lambda a, b: rf"x=\frac{{y}}{{{a}}}-{b}",
            SUBTRACTS_COEFFICIENT: lambda a, b: f"x=y-{b}-{a}",
            "Swaps two letters of a formula and leaves the rest as it is": lambda a, b: f"x={a}y+{b}",
        },
        thoughts=(
            "puts $b to y with a plus, and then divides by $a",
            "finds y ÷ $a, and takes $b away from that as it stands",
            "takes $b and then also $a away from y",
            "writes x where y was and y where x was, and changes nothing more",
        ),
        show=show_maths,
        choices=lambda a, b: [rf"x=\frac{{y-{a}}}{{{b}}}", f"x={a}(y-{b})", rf"x=\frac{{{a}}}{{y-{b}}}"],
    ),
)
