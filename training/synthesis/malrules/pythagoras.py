"""Asks for sides of right-angled triangles, with the usual wrong rules.

Reading: no single source; these are commonplaces of the classroom.
"""

from fractions import Fraction

from training.synthesis.malrules.indices import TIMES_INDEX, draw_triple
from training.synthesis.malrules.show import show_unit
from training.synthesis.malrules.template import Template

SUBJECT = "Pythagoras"

FORGETS_ROOT = "Forgets to take the square root at the end of Pythagoras' theorem"

TEMPLATES = (
    Template(
        construct="Find the hypotenuse of a right-angled triangle",
        subject=SUBJECT,
        texts=(
            "The two shorter sides of a right-angled triangle are $a cm and $b cm long. How long is the hypotenuse?",
            "On a map, $name walks $a cm east, then $b cm north.\nHow far is that from the start, in a straight line?",
        ),
        draw=draw_triple,
        right=lambda a, b, c: c,
        rules={
            "Adds the shorter sides to find the hypotenuse": lambda a, b, c: a + b,
            FORGETS_ROOT: lambda a, b, c: c * c,
            "Takes the mean of the shorter sides as the hypotenuse": lambda a, b, c: Fraction(a + b, 2),
        },
        thoughts=(
            "finds $a + $b",
            "finds $a² + $b² and ends there",
            "finds $a + $b and divides by 2",
        ),
        show=show_unit("cm"),
    ),
    Template(
        construct="Find a shorter side of a right-angled triangle",
        subject=SUBJECT,
        texts=(
            "A right-angled triangle has a hypotenuse of $c cm. One other side is $a cm. How long is the third side?",
            "A ladder of $c cm leans on a wall, with its foot $a cm from the wall. How high up does it reach?",
        ),
        draw=draw_triple,
        right=lambda a, b, c: b,
        rules={
            "Subtracts the sides themselves instead of their squares": lambda a, b, c: c - a,
            FORGETS_ROOT: lambda a, b, c: b * b,
            TIMES_INDEX: lambda a, b, c: 2 * (c - a),
            "Adds the squares although the hypotenuse is known": lambda a, b, c: c * c + a * a,
        },
        thoughts=(
            "finds $c - $a",
            "finds $c² - $a² and ends there",
            "doubles $c and $a, taking the small 2 as a factor, and finds the gap",
            "finds $c² + $a² and ends there",
        ),
        show=show_unit("cm"),
    ),
)
