"""Asks for areas and perimeters, with the usual wrong rules.

Reading: Hart (ed.), CSMS (1981); De Bock, Verschaffel and Janssens (1998) on the illusion of linearity.
"""

from training.synthesis.malrules.show import show_between, show_unit
from training.synthesis.malrules.template import Template, draw_distinct

SUBJECT = "Area and perimeter"

PERIMETER_FOR_AREA = "Finds the perimeter when asked for the area"
LABELLED_SIDES = "Adds only the lengths that are written down"
FORGETS_HALF = "Leaves out the half in a formula for area or volume"
MULTIPLIES_LENGTHS = "Multiplies every length that is given to find an area"
CIRCLE_FORMULAS = "Mixes up the formulas for the area and the circumference of a circle"

TEMPLATES = (
    Template(
        construct="Find the area of a rectangle",
        subject=SUBJECT,
        texts=(
            "A rectangle is $a cm long and $b cm wide. What is its area?",
            r"A card measures \( $a \mathrm{~cm} \) by \( $b \mathrm{~cm} \). How large is the surface of one side?",
        ),
        draw=draw_distinct("ab", range(3, 25)),
        right=lambda a, b: a * b,
        rules={
            PERIMETER_FOR_AREA: lambda a, b: 2 * (a + b),
            LABELLED_SIDES: lambda a, b: a + b,
            "Doubles the product of the sides to find the area of a rectangle": lambda a, b: 2 * a * b,
        },
        thoughts=(
            "goes once round the edge: $a + $b + $a + $b",
            "finds $a + $b",
            "finds $a × $b and then twice that",
        ),
        show=show_unit("cm^{2}"),
    ),
    Template(
        construct="Find the perimeter of a rectangle",
        subject=SUBJECT,
        texts=(
            "A rectangle is $a m long and $b m wide. What is its perimeter?",
            "A field measures $a m by $b m. How much fence goes around it?",
        ),
        draw=draw_distinct("ab", range(3, 40)),
        right=lambda a, b: 2 * (a + b),
        rules={
            "Finds the area when asked for the perimeter": lambda a, b: a * b,
            LABELLED_SIDES: lambda a, b: a + b,
            "Doubles only one of the sides when finding a perimeter": lambda a, b: 2 * a + b,
        },
        thoughts=(
            "takes $a times $b, so what is inside",
            "finds $a + $b and ends there",
            "takes $a twice but $b once",
        ),
        show=show_unit("m"),
    ),
    Template(
        construct="Find the area of a triangle",
        subject=SUBJECT,
        texts=(
            "A triangle has a base of $b cm and a height of $h cm. Another side is $s cm long. What is its area?",
            "Base: $b cm, height: $h cm, slanted side: $s cm.\nFind the area of the triangle.",
        ),
        draw=lambda r: {"b": 2 * r.randint(2, 9), "h": (h := r.randint(3, 15)), "s": h + r.randint(1, 5)},
        right=lambda b, h, s: b * h // 2,
        rules={
            FORGETS_HALF: lambda b, h, s: b * h,
            "Uses a slanted side as the height": lambda b, h, s: b * s // 2,
            MULTIPLIES_LENGTHS: lambda b, h, s: b * h * s,
            LABELLED_SIDES: lambda b, h, s: b + h + s,
        },
        thoughts=(
            "finds $b × $h and ends there",
            "finds $b × $s ÷ 2",
            "finds $b × $h × $s",
            "finds $b + $h + $s",
        ),
        show=show_unit("cm^{2}"),
    ),
    Template(
        construct="Find the area of a trapezium",
        subject=SUBJECT,
        texts=(
            "The parallel sides of a trapezium are $a cm and $b cm long, and $h cm apart. What is its area?",
            'A trapezium: "top $a cm, bottom $b cm, height $h cm". Which is its area?',
        ),
        draw=lambda r: {"a": (a := r.randint(3, 14)), "b": a + r.randint(1, 6), "h": 2 * r.randint(1, 6)},
        right=lambda a, b, h: (a + b) * h // 2,
        rules={
            FORGETS_HALF: lambda a, b, h: (a + b) * h,
            "Uses only one of the two parallel sides of a trapezium": lambda a, b, h: b * h,
            MULTIPLIES_LENGTHS: lambda a, b, h: a * b * h,
        },
        thoughts=(
            "finds ($a + $b) × $h and ends there",
            "finds $b × $h; $a is never used",
            "finds $a × $b × $h",
        ),
        show=show_unit("cm^{2}"),
    ),
    Template(
        construct="Find the area of a circle from its diameter",
        subject=SUBJECT,
        texts=(
            r"A circle has a diameter of $d cm. What is its area, in terms of \( \pi \) ?",
            r"A round plate is $d cm across. Give its area as a multiple of \( \pi \).",
        ),
        draw=lambda r: {"d": 2 * r.randint(3, 30)},
        right=lambda d: (d // 2) ** 2,
        rules={
            "Uses the diameter as if it were the radius": lambda d: d * d,
            CIRCLE_FORMULAS: lambda d: d,
            "Halves after squaring instead of before": lambda d: d * d // 2,
        },
        thoughts=(
            "squares $d as it stands",
            "takes π times $d, so what is round the edge",
            "squares $d first and then takes 1/2 of that",
        ),
        show=show_between(r"\( ", r" \pi \mathrm{~cm}^{2} \)"),
    ),
    Template(
        construct="Find the circumference of a circle from its radius",
        subject=SUBJECT,
        texts=(
            r"A circle has a radius of $r cm. What is its circumference, in terms of \( \pi \) ?",
            r"The spokes of a wheel are $r cm long. How long is its rim, as a multiple of \( \pi \) ?",
        ),
        draw=lambda random: {"r": random.randint(3, 60)},
        right=lambda r: 2 * r,
        rules={
            "Uses the radius as if it were the diameter": lambda r: r,
            CIRCLE_FORMULAS: lambda r: r * r,
            "Doubles the radius once too often": lambda r: 4 * r,
        },
        thoughts=(
            "takes π times $r as it stands",
            "squares $r and takes π times that, so what is inside",
            "takes π times 4 × $r",
        ),
        show=show_between(r"\( ", r" \pi \mathrm{~cm} \)"),
    ),
    Template(
        construct="Find the area of a compound shape",
        subject=SUBJECT,
        texts=(
            (
                "A rectangle of $a cm by $b cm has a smaller rectangle of $c cm by $d cm cut out of one corner. "
                "What area is left?"
            ),
            "$name cuts a $c cm by $d cm piece from the corner of a $a cm by $b cm sheet.\nHow much of it is left?",
        ),
        draw=lambda r: {"a": r.randint(8, 15), "b": r.randint(8, 15), "c": r.randint(2, 6), "d": r.randint(2, 6)},
        right=lambda a, b, c, d: a * b - c * d,
        rules={
            "Ignores the piece that was cut out of a shape": lambda a, b, c, d: a * b,
            "Adds the area of a missing piece instead of taking it away": lambda a, b, c, d: a * b + c * d,
            PERIMETER_FOR_AREA: lambda a, b, c, d: 2 * (a + b),
            "Takes the missing lengths off the sides before multiplying": lambda a, b, c, d: (a - c) * (b - d),
        },
        thoughts=(
            "finds $a × $b and ends there; $c and $d are never used",
            "finds $a × $b + $c × $d",
            "goes round the edge: $a + $b + $a + $b",
            "finds $a - $c and $b - $d and then their product",
        ),
        show=show_unit("cm^{2}"),
    ),
    Template(
        construct="Find the area of an enlarged shape",
        subject=SUBJECT,
        texts=(
            "A shape has an area of $n cm². All its lengths are made $k times as long. What is the new area?",
            "A logo covers $n cm². It is enlarged with scale factor $k. Which area does it cover now?",
        ),
        draw=lambda r: {"n": r.randint(5, 40), "k": r.randint(3, 6)},
        right=lambda n, k: n * k * k,
        rules={
            "Believes that areas grow by the same factor as lengths": lambda n, k: n * k,
            "Adds the scale factor instead of multiplying by it": lambda n, k: n + k,
            "Cubes the scale factor to find an area": lambda n, k: n * k**3,
            "Doubles the scale factor instead of squaring it": lambda n, k: n * 2 * k,
        },
        thoughts=(
            "finds $n × $k",
            "finds $n + $k",
            "finds $n × $k × $k × $k",
            "finds $n × 2 × $k",
        ),
        show=show_unit("cm^{2}"),
    ),
)
