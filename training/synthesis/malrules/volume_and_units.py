"""Asks for volumes and for changes of unit, with the usual wrong rules.

Reading: Hart (ed.), CSMS (1981), on measurement; Dickson, Brown and Gibson, Children Learning Mathematics (1984).
"""

from fractions import Fraction

from training.synthesis.malrules.area_and_perimeter import FORGETS_HALF
from training.synthesis.malrules.show import show_text, show_unit
from training.synthesis.malrules.template import Template, draw_distinct

SUBJECT = "Volume and units"

WRONG_OPERATION = "Divides when changing to a smaller unit"

TEMPLATES = (
    Template(
        construct="Find the volume of a cuboid",
        subject=SUBJECT,
        texts=(
            "A box is $a cm long, $b cm wide and $c cm high. What is its volume?",
            r"How much space is in a cuboid of \( $a \times $b \times $c \), all measured in cm?",
        ),
        draw=draw_distinct("abc", range(2, 13)),
        right=lambda a, b, c: a * b * c,
        rules={
            "Adds the three lengths to find a volume": lambda a, b, c: a + b + c,
            "Finds the surface area when asked for the volume": lambda a, b, c: 2 * (a * b + b * c + c * a),
            "Multiplies only two of the three lengths to find a volume": lambda a, b, c: a * b,
        },
        thoughts=(
            "finds $a + $b + $c",
            "sees how much paper would cover all six faces",
            "finds $a × $b; $c is never used",
        ),
        show=show_unit("cm^{3}"),
    ),
    Template(
        construct="Find the volume of a triangular prism",
        subject=SUBJECT,
        texts=(
            (
                "The cross-section of a prism is a triangle with base $b cm and height $h cm. The prism is $n cm long. "
                "What is its volume?"
            ),
            "A tent is a prism: $n cm long, with a triangle of base $b cm and height $h cm in front.\nFind its volume.",
        ),
        draw=lambda r: {"b": 2 * r.randint(2, 8), "h": r.randint(3, 12), "n": r.randint(5, 20)},
        right=lambda b, h, n: b * h * n // 2,
        rules={
            FORGETS_HALF: lambda b, h, n: b * h * n,
            "Gives the area of the cross-section instead of the volume": lambda b, h, n: b * h // 2,
            "Adds the length of a prism to the area of its cross-section": lambda b, h, n: b * h // 2 + n,
        },
        thoughts=(
            "finds $b × $h × $n and ends there",
            "finds $b × $h ÷ 2; $n is never used",
            "finds $b × $h ÷ 2 and then $n more",
        ),
        show=show_unit("cm^{3}"),
    ),
    Template(
        construct="Change square metres to square centimetres",
        subject=SUBJECT,
        texts=(r"How many \( \mathrm{cm}^{2} \) are there in \( $a \mathrm{~m}^{2} \) ?", "Change $a m² to cm²."),
        draw=lambda r: {"a": Fraction(r.randint(2, 99), r.choice((1, 10)))},
        right=lambda a: a * 10000,
        rules={
            "Changes square units with the factor for lengths": lambda a: a * 100,
            "Believes that there are a thousand small square units in a large one": lambda a: a * 1000,
            WRONG_OPERATION: lambda a: a / 10000,
        },
        thoughts=(
            "finds $a × 100, as for m and cm",
            "finds $a × 1000",
            "finds $a ÷ 10000",
        ),
        show=show_text,
    ),
    Template(
        construct="Change kilograms to grams",
        subject=SUBJECT,
        texts=("Write $a kg in grams.", 'A label says "$a kg". How many grams are in the packet?'),
        draw=lambda r: {"a": Fraction(r.choice([k for k in range(11, 990) if k % 10]), 10)},
        right=lambda a: a * 1000,
        rules={
            "Uses a hundred for every change of metric units": lambda a: a * 100,
            "Moves one place for every change of metric units": lambda a: a * 10,
            WRONG_OPERATION: lambda a: a / 1000,
        },
        thoughts=(
            "finds $a × 100",
            "finds $a × 10",
            "finds $a ÷ 1000",
        ),
        show=show_text,
    ),
)
