"""Asks for points, transformations and straight-line graphs, with the usual wrong rules.

Reading: Kerslake in Hart (ed.), CSMS (1981), on graphs; Leinhardt, Zaslavsky and Stein (1990).
"""

from fractions import Fraction

from training.synthesis.malrules.show import show_fraction, show_maths, show_pair
from training.synthesis.malrules.template import Template, draw_distinct

SUBJECT = "Coordinates"

SWAPS = "Writes the vertical coordinate before the horizontal one"
UPSIDE_DOWN = "Divides the horizontal change by the vertical change to find a gradient"
CONSTANT = "Takes the constant of a line as its gradient"


def draw_even_points(r) -> dict[str, int]:
    """Two points (a, b) and (c, d) whose midpoint is whole."""
    a, b = r.randint(1, 9), r.randint(1, 9)
    return {"a": a, "b": b, "c": a + 2 * r.randint(1, 6), "d": b + 2 * r.randint(1, 6)}


TEMPLATES = (
    Template(
        construct="Describe the position of a point in four quadrants",
        subject=SUBJECT,
        texts=(
            "From the origin, go $a to the left and $b up. What are the coordinates of this point?",
            "A point lies $a units left of the vertical axis, and $b units above the horizontal axis. Which is it?",
        ),
        draw=draw_distinct("ab", range(2, 14)),
        right=lambda a, b: (-a, b),
        rules={
            SWAPS: lambda a, b: (b, -a),
            "Ignores the direction and writes positive coordinates only": lambda a, b: (a, b),
            "Puts the minus sign on the wrong coordinate": lambda a, b: (a, -b),
        },
        thoughts=(
            "says how far up first and how far left second: $b, then -$a",
            "says $a and $b, as if left were right",
            "says $a without - and gives - to $b",
        ),
        show=show_pair,
    ),
    Template(
        construct="Find the midpoint of two points",
        subject=SUBJECT,
        texts=(
            r"What is the midpoint of \( ($a, $b) \) and \( ($c, $d) \) ?",
            "A is ($a, $b) and B is ($c, $d). Find the point halfway between A and B.",
        ),
        draw=draw_even_points,
        right=lambda a, b, c, d: ((a + c) // 2, (b + d) // 2),
        rules={
            "Adds the coordinates without halving to find a midpoint": lambda a, b, c, d: (a + c, b + d),
            "Halves the differences of the coordinates to find a midpoint": lambda a, b, c, d: (
                (c - a) // 2,
                (d - b) // 2,
            ),
            "Gives the differences of the coordinates as the midpoint": lambda a, b, c, d: (c - a, d - b),
        },
        thoughts=(
            "finds $a + $c and $b + $d and ends there",
            "finds $c - $a and $d - $b and divides each by 2",
            "finds $c - $a and $d - $b and ends there",
        ),
        show=show_pair,
    ),
    Template(
        construct="Reflect a point in an axis",
        subject=SUBJECT,
        texts=(
            r"\( ($a, $b) \) is reflected in the \( x \)-axis. Where is its image?",
            "The horizontal axis is a mirror. Which point is the mirror image of ($a, $b)?",
        ),
        draw=draw_distinct("ab", range(1, 13)),
        right=lambda a, b: (a, -b),
        rules={
            "Mixes up the two axes when reflecting": lambda a, b: (-a, b),
            "Swaps the coordinates to reflect a point": lambda a, b: (b, a),
            "Changes both signs when reflecting in one axis": lambda a, b: (-a, -b),
        },
        thoughts=(
            "takes the upright line for the mirror, so that $a becomes -$a and $b stays",
            "writes $b first and $a second",
            "makes -$a out of $a and -$b out of $b",
        ),
        show=show_pair,
    ),
    Template(
        construct="Translate a point by a vector",
        subject=SUBJECT,
        texts=(
            (
                r"The point \( ($a, $b) \) is translated by \( \left(\begin{array}{l}$c \\ $d\end{array}\right) \). "
                "What is its image?"
            ),
            "($a, $b) moves $c to the right and $d up. Where does it end?",
        ),
        draw=draw_distinct("abcd", range(1, 12)),
        right=lambda a, b, c, d: (a + c, b + d),
        rules={
            "Uses the upper number of a vector for the vertical movement": lambda a, b, c, d: (a + d, b + c),
            "Moves in the opposite direction of a vector": lambda a, b, c, d: (a - c, b - d),
            "Gives the vector itself as the new position": lambda a, b, c, d: (c, d),
        },
        thoughts=(
            "goes $d to the right and $c up, so the other way round",
            "goes $c to the left and $d down",
            "says ($c, $d), without a look at where it began",
        ),
        show=show_pair,
    ),
    Template(
        construct="Find the gradient of the line through two points",
        subject=SUBJECT,
        texts=(
            r"A line goes through \( ($a, $b) \) and \( ($c, $d) \). What is its gradient?",
            "How steep is the line from ($a, $b) to ($c, $d)? Give its gradient.",
        ),
        draw=draw_even_points,
        right=lambda a, b, c, d: Fraction(d - b, c - a),
        rules={
            UPSIDE_DOWN: lambda a, b, c, d: Fraction(c - a, d - b),
            "Subtracts coordinates in different orders above and below, so the sign is wrong": lambda a, b, c, d: (
                Fraction(b - d, c - a)
            ),
            "Gives the vertical change alone as the gradient": lambda a, b, c, d: d - b,
        },
        thoughts=(
            "finds $c - $a over $d - $b, so across over up",
            "finds $b - $d on top, but $c - $a underneath",
            "finds $d - $b and ends there",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Read the gradient from the equation of a line",
        subject=SUBJECT,
        texts=(
            r"What is the gradient of the line \( $c y=$a x+$b \) ?",
            ("Find the gradient of the line with this equation:\n" r"\( $c y=$a x+$b \)"),
        ),
        draw=draw_distinct("abc", range(2, 13)),
        right=lambda a, b, c: Fraction(a, c),
        rules={
            "Ignores a coefficient in front of y when reading a gradient": lambda a, b, c: a,
            CONSTANT: lambda a, b, c: b,
            "Takes the point where a line crosses the y-axis as its gradient": lambda a, b, c: Fraction(b, c),
        },
        thoughts=(
            "says $a, without a look at $c",
            "says $b, which stands alone",
            "finds $b ÷ $c, the height when x is 0",
        ),
        show=show_fraction,
    ),
    Template(
        construct="Read the gradient when the constant comes first",
        subject=SUBJECT,
        texts=(
            r"A line has the equation \( y=$b-$a x \). What is its gradient?",
            r"\( y=$b-$a x \). Its gradient is ...",
        ),
        draw=draw_distinct("ab", range(2, 20)),
        right=lambda a, b: -a,
        rules={
            CONSTANT: lambda a, b: b,
            "Drops the sign in front of x when reading a gradient": lambda a, b: a,
            "Subtracts the numbers of an equation to find its gradient": lambda a, b: b - a,
        },
        thoughts=(
            "says $b, which stands alone",
            "says $a, though there is a - before it",
            "finds $b - $a",
        ),
        show=show_maths,
    ),
    Template(
        construct="Find the gradient of a perpendicular line",
        subject=SUBJECT,
        texts=(
            r"A line has gradient \( \frac{$a}{$b} \). What is the gradient of a line at right angles to it?",
            r"Two lines are perpendicular; one has gradient \( \frac{$a}{$b} \). Find the other gradient.",
        ),
        draw=lambda r: dict(zip("ab", Fraction(*r.sample(range(2, 14), 2)).as_integer_ratio(), strict=True)),
        right=lambda a, b: Fraction(-b, a),
        rules={
            "Turns a gradient upside down but keeps its sign for a perpendicular line": lambda a, b: Fraction(b, a),
            "Changes only the sign of a gradient for a perpendicular line": lambda a, b: Fraction(-a, b),
            "Gives perpendicular lines the same gradient": lambda a, b: Fraction(a, b),
        },
        thoughts=(
            "flips it to $b over $a and lets it be positive",
            "writes - before it and does not flip it",
            "says $a over $b once more",
        ),
        show=show_fraction,
    ),
)
