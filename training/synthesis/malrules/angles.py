"""Asks for angles, polygons and bearings, with the usual wrong rules.

Reading: Dickson, Brown and Gibson, Children Learning Mathematics (1984).
"""

from fractions import Fraction

from training.synthesis.malrules.show import show_between
from training.synthesis.malrules.template import Template, draw_distinct

SUBJECT = "Angles"

FULL_TURN = "Believes that the angles of a triangle or on a straight line add up to a full turn"
ALL_EQUAL = "Believes that angles next to each other are equal"
ONE_ANGLE_ONLY = "Takes only one of the given angles away from the total"
STOPS_AT_SUM = "Gives the sum of the given angles instead of what is missing"
DEGREES = show_between(r"\( ", r"^{\circ} \)")


def show_bearing(value: int) -> str:
    return f"{value:03d}°"


TEMPLATES = (
    Template(
        construct="Find the third angle of a triangle",
        subject=SUBJECT,
        texts=(
            r"Two angles of a triangle are \( $a^{\circ} \) and \( $b^{\circ} \). What is the third?",
            "A triangle has angles of $a°, $b° and one more. How large is that one?",
        ),
        draw=draw_distinct("ab", range(21, 88)),
        right=lambda a, b: 180 - a - b,
        rules={
            FULL_TURN: lambda a, b: 360 - a - b,
            ONE_ANGLE_ONLY: lambda a, b: 180 - a,
            STOPS_AT_SUM: lambda a, b: a + b,
        },
        thoughts=(
            "subtracts $a and $b from 360",
            "finds 180 - $a and ends there; $b is never used",
            "finds $a + $b and ends there",
        ),
        show=DEGREES,
    ),
    Template(
        construct="Find an angle on a straight line",
        subject=SUBJECT,
        texts=(
            r"Two angles on a straight line are \( $a^{\circ} \) and \( x \). What is \( x \) ?",
            "A post leans at $a° to the flat ground on its left. What is the angle on its right?",
        ),
        draw=lambda r: {"a": r.randint(12, 88)},
        right=lambda a: 180 - a,
        rules={
            FULL_TURN: lambda a: 360 - a,
            "Believes that angles on a straight line add up to ninety degrees": lambda a: 90 - a,
            ALL_EQUAL: lambda a: a,
        },
        thoughts=(
            "finds 360 - $a",
            "finds 90 - $a",
            "says $a once more",
        ),
        show=DEGREES,
    ),
    Template(
        construct="Find a base angle of an isosceles triangle",
        subject=SUBJECT,
        texts=(
            "In an isosceles triangle the angle between the two equal sides is $a°. How large is each other angle?",
            r"\( A B=A C \), and angle \( A \) is \( $a^{\circ} \). What is angle \( B \) ?",
        ),
        draw=lambda r: {"a": 2 * r.randint(11, 43)},
        right=lambda a: (180 - a) // 2,
        rules={
            "Takes the angle between the equal sides as one of two equal angles": lambda a: 180 - 2 * a,
            "Forgets to share what is left between two equal angles": lambda a: 180 - a,
            ALL_EQUAL: lambda a: a,
        },
        thoughts=(
            "finds 180 - 2 × $a, as if $a were there twice",
            "finds 180 - $a and ends there",
            "says $a once more",
        ),
        show=DEGREES,
    ),
    Template(
        construct="Find a missing angle of a quadrilateral",
        subject=SUBJECT,
        texts=(
            "Three angles of a quadrilateral are $a°, $b° and $c°. How large is the fourth?",
            'A four-sided field has corners of "$a°, $b°, $c°" and one other. What is it?',
        ),
        draw=draw_distinct("abc", range(52, 118)),
        right=lambda a, b, c: 360 - a - b - c,
        rules={
            STOPS_AT_SUM: lambda a, b, c: a + b + c,
            ONE_ANGLE_ONLY: lambda a, b, c: 360 - a,
            "Believes that opposite angles of every quadrilateral are equal": lambda a, b, c: b,
        },
        thoughts=(
            "finds $a + $b + $c and ends there",
            "finds 360 - $a; $b and $c are never used",
            "says $b once more, as if it were a parallelogram",
        ),
        show=DEGREES,
    ),
    Template(
        construct="Find the sum of the interior angles of a polygon",
        subject=SUBJECT,
        texts=(
            "What do the interior angles of a polygon with $n sides add up to?",
            "Find the angle sum of a polygon with $n corners.",
        ),
        draw=lambda r: {"n": r.randint(5, 40)},
        right=lambda n: (n - 2) * 180,
        rules={
            "Believes that the angle sum is the same for every polygon": lambda n: 360,
            "Multiplies the number of sides by the angle sum of a triangle": lambda n: n * 180,
            "Takes one side off instead of two for the angle sum": lambda n: (n - 1) * 180,
        },
        thoughts=(
            "says 360, without a look at $n",
            "finds $n × 180",
            "finds ($n - 1) × 180",
        ),
        show=DEGREES,
    ),
    Template(
        construct="Find an interior angle of a regular polygon",
        subject=SUBJECT,
        texts=(
            "How large is one interior angle of a regular polygon with $n sides?",
            "$name draws a regular polygon, with $n sides. What is each angle inside it?",
        ),
        draw=lambda r: {"n": r.choice((5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 24, 30, 36, 40, 45, 60, 72))},
        right=lambda n: 180 - Fraction(360, n),
        rules={
            "Gives the exterior angle when asked for the interior angle": lambda n: Fraction(360, n),
            "Divides the angle sum of a triangle by the number of sides": lambda n: Fraction(180, n),
            "Gives the sum of all interior angles when asked for one": lambda n: (n - 2) * 180,
        },
        thoughts=(
            "finds 360 ÷ $n, how far one turns at a corner, and ends there",
            "finds 180 ÷ $n",
            "finds ($n - 2) × 180 and ends there",
        ),
        show=DEGREES,
    ),
    Template(
        construct="Find a bearing back to the start",
        subject=SUBJECT,
        texts=(
            r"The bearing of \( B \) from \( A \) is $a°. What is the bearing of \( A \) from \( B \) ?",
            "A ship leaves a port on a bearing of $a°, in a straight line.\nOn which bearing does it sail back?",
        ),
        draw=lambda r: {"a": r.randint(101, 178)},
        right=lambda a: a + 180,
        rules={
            "Takes a bearing away from a full turn to turn back": lambda a: 360 - a,
            "Takes a bearing away from a half turn to turn back": lambda a: 180 - a,
            "Believes that the bearing there and the bearing back are the same": lambda a: a,
        },
        thoughts=(
            "finds 360 - $a",
            "finds 180 - $a",
            "says $a once more",
        ),
        show=show_bearing,
    ),
)
