"""Asks for sums, differences and products of negative numbers, with the usual wrong rules.

Reading: Hart (ed.), Children's Understanding of Mathematics 11-16 (CSMS, 1981); Vlassis (2004) on the minus sign.
"""

from training.synthesis.malrules.indices import DROPS_INDEX, TIMES_INDEX
from training.synthesis.malrules.show import show_between, show_maths
from training.synthesis.malrules.template import Template, draw_distinct

SUBJECT = "Negative numbers"

TWO_MINUSES = "Believes that two minus signs anywhere in a calculation make the answer positive"
LARGER_LESS_SMALLER = "Takes the smaller number from the larger one and drops the sign"
ALWAYS_NEGATIVE = "Adds the sizes and makes the answer negative because a minus sign is there"
IGNORES_SIGN = "Ignores the minus sign in front of a number"

TEMPLATES = (
    Template(
        construct="Add a positive number to a negative number",
        subject=SUBJECT,
        texts=(
            r"Work out \( -$a+$b \)",
            r"$name starts at \( -$a \) on a number line and adds $b. Where does $name stop?",
        ),
        draw=lambda r: {"b": (b := r.randint(2, 15)), "a": b + r.randint(1, 12)},
        right=lambda a, b: b - a,
        rules={
            ALWAYS_NEGATIVE: lambda a, b: -(a + b),
            IGNORES_SIGN: lambda a, b: a + b,
            LARGER_LESS_SMALLER: lambda a, b: a - b,
        },
        thoughts=(
            "finds $a + $b and writes - before it, as one of the two is below zero",
            "reads -$a as $a and finds $a + $b",
            "finds $a - $b, the gap between the two, and lets it be positive",
        ),
        show=show_maths,
    ),
    Template(
        construct="Subtract a negative number from a positive number",
        subject=SUBJECT,
        texts=(r"What is \( $a-(-$b) \) ?", ("Calculate, taking care with the signs:\n" r"\( $a-(-$b) \)")),
        draw=draw_distinct("ab", range(2, 20)),
        right=lambda a, b: a + b,
        rules={
            "Reads two minus signs in a row as a single one": lambda a, b: a - b,
            ALWAYS_NEGATIVE: lambda a, b: -(a + b),
            "Takes the first number from the second when the second is negative": lambda a, b: b - a,
        },
        thoughts=(
            "sees - - as just one - and finds $a - $b",
            "finds $a + $b and then writes - before it",
            "turns it round and finds $b - $a",
        ),
        show=show_maths,
    ),
    Template(
        construct="Subtract a positive number from a negative number",
        subject=SUBJECT,
        texts=(
            r"Work out \( -$a-$b \)",
            r"It is \( -$a^{\circ} \mathrm{C} \), then $b degrees colder. How cold is it now?",
        ),
        draw=draw_distinct("ab", range(2, 20)),
        right=lambda a, b: -a - b,
        rules={
            TWO_MINUSES: lambda a, b: a + b,
            LARGER_LESS_SMALLER: lambda a, b: abs(a - b),
            "Takes the difference of the sizes and puts a minus sign in front": lambda a, b: -abs(a - b),
        },
        thoughts=(
            "sees - twice, lets the pair become a plus, and finds $a + $b",
            "finds the gap between $a and $b and lets it be positive",
            "finds the gap between $a and $b and makes it negative",
        ),
        show=show_maths,
    ),
    Template(
        construct="Multiply two negative numbers",
        subject=SUBJECT,
        texts=(r"Work out \( -$a \times-$b \)", r"What is the product of \( -$a \) and \( -$b \) ?"),
        draw=draw_distinct("ab", range(2, 13)),
        right=lambda a, b: a * b,
        rules={
            "Believes that the product of two negative numbers is negative": lambda a, b: -a * b,
            "Adds two negative numbers when asked to multiply them": lambda a, b: -a - b,
            "Turns two minus signs into a plus sign and then adds": lambda a, b: a + b,
        },
        thoughts=(
            "finds $a × $b and keeps a - before it",
            "finds -$a + (-$b), as if × were a plus",
            "makes + out of - and -, and finds $a + $b",
        ),
        show=show_maths,
    ),
    Template(
        construct="Find the difference between temperatures on either side of zero",
        subject=SUBJECT,
        texts=(
            r"The temperature rises from \( -$a^{\circ} \mathrm{C} \) to \( $b^{\circ} \mathrm{C} \). By how much?",
            r'At night it was \( -$a \) degrees, at noon \( $b \) degrees. "What is the difference?" asks $name.',
        ),
        draw=draw_distinct("ab", range(2, 20)),
        right=lambda a, b: a + b,
        rules={
            LARGER_LESS_SMALLER: lambda a, b: abs(b - a),
            "Counts zero as an extra step when crossing it": lambda a, b: a + b + 1,
            "Leaves a step out when counting across zero": lambda a, b: a + b - 1,
        },
        thoughts=(
            "finds the gap between $a and $b as if both were on the same side",
            "goes up by $a, then by $b, and by one degree more for passing 0",
            "goes up by $a, then by $b, but one degree too few at 0",
        ),
        show=show_between(r"\( ", r"^{\circ} \mathrm{C} \)"),
    ),
    Template(
        construct="Square a negative number",
        subject=SUBJECT,
        texts=(r"Evaluate \( (-$a)^{2} \)", r"If \( x=-$a \), what is \( x^{2} \) ?"),
        draw=lambda r: {"a": r.randint(3, 30)},
        right=lambda a: a * a,
        rules={
            "Keeps the minus sign when squaring a negative number": lambda a: -a * a,
            TIMES_INDEX: lambda a: -2 * a,
            DROPS_INDEX: lambda a: -a,
        },
        thoughts=(
            "finds $a × $a and lets - stand before it",
            "doubles -$a, taking the small 2 as a factor",
            "does not see the small 2 and gives -$a itself",
        ),
        show=show_maths,
    ),
)
