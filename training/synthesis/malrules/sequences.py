"""Asks for terms and rules of sequences, with the usual wrong rules.

Reading: Stacey (1989), Finding and Using Patterns in Linear Generalising Problems, for the whole-object method.
"""

from training.synthesis.malrules.algebra_expressions import VALUE_AS_DIGIT
from training.synthesis.malrules.indices import POWER_OF_PRODUCT, TIMES_INDEX
from training.synthesis.malrules.show import show_maths, show_polynomial, show_text
from training.synthesis.malrules.template import Template

SUBJECT = "Sequences"


def draw_linear(r) -> dict[str, object]:
    """First term a, difference d, and the first four terms."""
    a, d = r.sample(range(2, 13), 2)
    return {"a": a, "d": d, "listed": (a, a + d, a + 2 * d, a + 3 * d)}


def draw_geometric(r) -> dict[str, object]:
    """First term a, factor q, and the first three terms."""
    a, q = r.randint(2, 9), r.randint(2, 5)
    return {"a": a, "q": q, "listed": (a, a * q, a * q * q)}


TEMPLATES = (
    Template(
        construct="Find the rule for the nth term of a linear sequence",
        subject=SUBJECT,
        texts=(
            r"What is the \( n \)th term of this sequence? $listed, ...",
            "A sequence begins\n$listed, ...\nWhich expression gives its nth term?",
        ),
        draw=draw_linear,
        right=lambda a, d, listed: (a - d, d),
        rules={
            "Writes n plus the difference as the nth term": lambda a, d, listed: (d, 1),
            "Uses the first term as the constant of the nth term": lambda a, d, listed: (a, d),
            "Swaps the difference and the constant in the nth term": lambda a, d, listed: (d, a - d),
            "Leaves the constant out of the nth term": lambda a, d, listed: (0, d),
        },
        thoughts=(
            "sees that it goes up by $d, and lets $d stand beside n as a summand",
            "takes $d times n and puts $a, where the list begins, to it",
            "takes $d for what stands alone, and what should stand alone for the factor of n",
            "takes $d times n and ends there",
        ),
        show=show_polynomial("n"),
    ),
    Template(
        construct="Find a later term of a linear sequence",
        subject=SUBJECT,
        texts=("Find the 10th term of: $listed, ...", 'A sequence goes "$listed, ...". What is its tenth term?'),
        draw=draw_linear,
        right=lambda a, d, listed: a + 9 * d,
        rules={
            "Adds the difference once too often to reach a term": lambda a, d, listed: a + 10 * d,
            "Multiplies the difference by the position and ignores the first term": lambda a, d, listed: 10 * d,
            "Doubles the fifth term to find the tenth": lambda a, d, listed: 2 * (a + 4 * d),
            "Gives the next term when a later one is asked for": lambda a, d, listed: a + 4 * d,
        },
        thoughts=(
            "goes up from $a by $d ten times",
            "finds 10 × $d; $a is never used",
            "goes up to number five and takes that times 2",
            "goes up by $d just once more behind the list",
        ),
        show=show_text,
    ),
    Template(
        construct="Continue a geometric sequence",
        subject=SUBJECT,
        texts=("What is the next term? $listed, ...", "Find the term that follows: $listed"),
        draw=draw_geometric,
        right=lambda a, q, listed: a * q**3,
        rules={
            "Repeats the last difference of a geometric sequence": lambda a, q, listed: 2 * listed[2] - listed[1],
            "Repeats the first difference of a geometric sequence": lambda a, q, listed: listed[2] + listed[1] - a,
            "Adds the last two terms to continue any sequence": lambda a, q, listed: listed[2] + listed[1],
        },
        thoughts=(
            "sees how far it went up between the two at the end, and goes up by as much again",
            "sees how far it went up at the beginning, and goes up by as much again",
            "finds the sum of the two at the end",
        ),
        show=show_text,
    ),
    Template(
        construct="Find a term from a quadratic rule",
        subject=SUBJECT,
        texts=(
            r"The \( n \)th term of a sequence is \( $a n^{2}+$b \). What is the \( $k \)th term?",
            ("Use the rule to find term number $k:\n" r"\( $a n^{2}+$b \)"),
        ),
        draw=lambda r: {"a": r.randint(2, 6), "b": r.randint(1, 12), "k": r.randint(4, 10)},
        right=lambda a, b, k: a * k * k + b,
        rules={
            POWER_OF_PRODUCT: lambda a, b, k: (a * k) ** 2 + b,
            TIMES_INDEX: lambda a, b, k: 2 * a * k + b,
            VALUE_AS_DIGIT: lambda a, b, k: int(f"{a}{k * k}") + b,
        },
        thoughts=(
            "finds $a × $k first, squares the whole product, and puts $b to it",
            "finds $a × 2 × $k + $b, taking the small 2 as a factor",
            "squares $k, sets what comes out right behind $a as further figures, and puts $b to it",
        ),
        show=show_maths,
    ),
    Template(
        construct="Find a rule for a pattern of matchsticks",
        subject=SUBJECT,
        texts=(
            "Matches make a row of $n polygons with $k sides each, and neighbours share one side. How many matches?",
            (
                "$name lays $n shapes in a row, each with $k sides, so that each shares a side with the next.\n"
                "How many sticks does $name need?"
            ),
        ),
        draw=lambda r: {"n": r.randint(5, 25), "k": r.randint(4, 8)},
        right=lambda n, k: (k - 1) * n + 1,
        rules={
            "Counts a shared side once for each shape it belongs to": lambda n, k: k * n,
            "Forgets the extra side at the start of a row": lambda n, k: (k - 1) * n,
            "Adds a whole shape to the repeated part of a pattern": lambda n, k: (k - 1) * n + k,
        },
        thoughts=(
            "finds $n × $k, as if they did not touch",
            "takes $k less 1 for each of the $n, and ends there",
            "takes $k less 1 for each of the $n, and then $k more for the beginning",
        ),
        show=show_text,
    ),
)
