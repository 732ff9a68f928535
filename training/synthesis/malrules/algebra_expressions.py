"""Asks for expressions to be simplified, evaluated, expanded or factorised, with the usual wrong rules.

Reading: Küchemann in Hart (ed.), CSMS (1981), for letters as objects; Booth, Algebra: Children's Strategies and Errors
(1984); Clement (1982) for the reversed equation.
"""

from training.synthesis.malrules.indices import POWER_OF_PRODUCT, TIMES_INDEX
from training.synthesis.malrules.order_of_operations import ADDS_OUTSIDE
from training.synthesis.malrules.show import show_maths, show_polynomial, show_text
from training.synthesis.malrules.template import Template, draw_distinct

SUBJECT = "Algebra expressions"

FIRST_TERM_ONLY = "Multiplies only the first term in a bracket by what is outside"
VALUE_AS_DIGIT = "Writes the value of a letter beside its coefficient instead of multiplying"


def draw_words(r) -> dict[str, object]:
    """Two plural words, their first letters (all different), and how many times as many there are."""
    left, right = r.sample(("students", "teachers", "dogs", "cats", "apples", "bananas", "goats", "pigs"), 2)
    return {"left": left, "right": right, "u": left[0], "v": right[0], "k": r.randint(3, 12)}


TEMPLATES = (
    Template(
        construct="Simplify an expression by collecting like terms",
        subject=SUBJECT,
        texts=(r"Simplify \( $a x+$b+x \)", ("Write as simply as possible:\n" r"\( $a x+$b+x \)")),
        draw=draw_distinct("ab", range(2, 14)),
        right=lambda a, b: (b, a + 1),
        rules={
            "Joins unlike terms into a single term": lambda a, b: (0, a + b + 1),
            "Treats a letter without a coefficient as worth nothing": lambda a, b: (b, a),
            "Adds the powers of a letter when collecting like terms": lambda a, b: (b, 0, a),
        },
        thoughts=(
            "puts $a, $b and 1 together and hangs x behind the total",
            "sees $a x and a further x and still has just $a x",
            "makes x² out of $a x and x",
        ),
        show=show_polynomial("x"),
    ),
    Template(
        construct="Substitute a number into a linear expression",
        subject=SUBJECT,
        texts=(
            r"What is the value of \( $a x+$b \) when \( x=$v \) ?",
            r"If \( x=$v \), find \( $a x+$b \).",
        ),
        draw=draw_distinct("abv", range(2, 10)),
        right=lambda a, b, v: a * v + b,
        rules={
            VALUE_AS_DIGIT: lambda a, b, v: 10 * a + v + b,
            "Adds the value of a letter to its coefficient instead of multiplying": lambda a, b, v: a + v + b,
            "Ignores a letter and calculates with the numbers that can be seen": lambda a, b, v: a + b,
        },
        thoughts=(
            "sets $v right behind $a, like tens and units, and then $b more",
            "finds $a + $v + $b",
            "finds $a + $b, as if x were not there",
        ),
        show=show_maths,
    ),
    Template(
        construct="Substitute a number into a quadratic expression",
        subject=SUBJECT,
        texts=(r"Find the value of \( $a y^{2} \) when \( y=$v \).", r"\( y=$v \). What is \( $a y^{2} \) ?"),
        draw=lambda r: {"a": r.randint(2, 9), "v": r.randint(3, 10)},
        right=lambda a, v: a * v * v,
        rules={
            POWER_OF_PRODUCT: lambda a, v: (a * v) ** 2,
            TIMES_INDEX: lambda a, v: 2 * a * v,
            VALUE_AS_DIGIT: lambda a, v: int(f"{a}{v * v}"),
        },
        thoughts=(
            "finds $a × $v first and squares the whole product",
            "finds 2 × $a × $v, taking the small 2 as a factor",
            "squares $v and sets what comes out right behind $a, as further figures",
        ),
        show=show_maths,
    ),
    Template(
        construct="Expand a single bracket",
        subject=SUBJECT,
        texts=(r"Expand \( $a(x+$b) \)", ("Multiply out the brackets:\n" r"\( $a(x+$b) \)")),
        draw=draw_distinct("ab", range(2, 13)),
        right=lambda a, b: (a * b, a),
        rules={
            FIRST_TERM_ONLY: lambda a, b: (b, a),
            "Multiplies only the last term in a bracket by what is outside": lambda a, b: (a * b, 1),
            ADDS_OUTSIDE: lambda a, b: (a + b, 1),
            "Joins the terms of an expanded bracket into one": lambda a, b: (0, a + a * b),
        },
        thoughts=(
            "finds $a × x and lets $b stand as it is",
            "finds $a × $b and lets x stand as it is",
            "reads $a followed by a parenthesis as a plus: x + $a + $b",
            "finds $a x and $a × $b and puts both together as so many x",
        ),
        show=show_polynomial("x"),
    ),
    Template(
        construct="Expand a bracket with a negative number in front",
        subject=SUBJECT,
        texts=(r"Expand \( -$a(p-$b) \)", r"$name expands \( -$a(p-$b) \). What is the right answer?"),
        draw=draw_distinct("ab", range(2, 13)),
        right=lambda a, b: (a * b, -a),
        rules={
            "Keeps the minus sign inside a bracket when the number in front is negative": lambda a, b: (-a * b, -a),
            FIRST_TERM_ONLY: lambda a, b: (-b, -a),
            "Ignores the minus sign in front of a bracket": lambda a, b: (-a * b, a),
        },
        thoughts=(
            "finds -$a × p, and then - $a × $b, as it was - before $b",
            "finds -$a × p and lets -$b stand as it is",
            "finds $a × p - $a × $b, as if $a were positive",
        ),
        show=show_polynomial("p"),
    ),
    Template(
        construct="Square a bracket",
        subject=SUBJECT,
        texts=(r"Expand \( (x+$a)^{2} \)", r"Which expression is the same as \( (x+$a)^{2} \) ?"),
        draw=lambda r: {"a": r.randint(3, 25)},
        right=lambda a: (a * a, 2 * a, 1),
        rules={
            "Squares each term of a bracket separately": lambda a: (a * a, 0, 1),
            TIMES_INDEX: lambda a: (2 * a, 2),
            "Counts the middle term of a squared bracket only once": lambda a: (a * a, a, 1),
        },
        thoughts=(
            "finds x² and $a² and nothing between them",
            "doubles x and doubles $a, taking the small 2 as a factor",
            "finds x², $a² and one $a x between them",
        ),
        show=show_polynomial("x"),
    ),
    Template(
        construct="Expand two brackets",
        subject=SUBJECT,
        texts=(r"Expand and simplify \( (x+$a)(x+$b) \)", r"Multiply out, and simplify: \( (x+$a)(x+$b) \)"),
        draw=draw_distinct("ab", range(2, 13)),
        right=lambda a, b: (a * b, a + b, 1),
        rules={
            "Multiplies only first with first and last with last in two brackets": lambda a, b: (a * b, 0, 1),
            "Swaps the sum and the product when expanding two brackets": lambda a, b: (a + b, a * b, 1),
            "Adds the numbers of two brackets for the constant as well": lambda a, b: (a + b, a + b, 1),
        },
        thoughts=(
            "finds x × x and $a × $b and nothing between them",
            "finds $a × $b for the x and $a + $b for the number at the end",
            "finds $a + $b for the x and for the number at the end, too",
        ),
        show=show_polynomial("x"),
    ),
    Template(
        construct="Factorise a quadratic expression",
        subject=SUBJECT,
        texts=(
            r"Factorise \( x^{2}+$s x-$p \)",
            ("Write as a product of two brackets:\n" r"\( x^{2}+$s x-$p \)"),
        ),
        draw=lambda r: {"b": (b := r.randint(2, 9)), "s": (s := r.randint(2, 9)), "p": b * (b + s)},
        right=lambda b, s, p: f"(x+{b + s})(x-{b})",
        rules={
            "Puts the signs in the wrong brackets when factorising": lambda b, s, p: f"(x+{b})(x-{b + s})",
            "Ignores a negative constant when choosing the signs of the factors": lambda b, s, p: f"(x+{b + s})(x+{b})",
            "Writes the coefficients straight into the brackets when factorising": lambda b, s, p: f"(x+{s})(x-{p})",
        },
        thoughts=(
            "finds the right two numbers, but with + and - the other way round",
            "finds the right two numbers, but lets both have a +, as if $p were added",
            "sets $s and $p as they stand behind the two x",
        ),
        show=show_maths,
        choices=lambda b, s, p: [f"(x+{b + s + k})(x-{b + k})" for k in (1, 2, 3)] + [f"(x-{b + s})(x-{b})"],
    ),
    Template(
        construct="Write an equation for a relation in words",
        subject=SUBJECT,
        texts=(
            "There are $k times as many $left as $right. There are $u $left and $v $right. Which equation says so?",
            (
                'On a sign: "For every one of the $right there are $k $left." Write $u for the number of $left, and '
                "$v for the number of $right. Which is right?"
            ),
        ),
        draw=draw_words,
        right=lambda left, right, u, v, k: f"{u}={k}{v}",
        rules={
            "Writes an equation in the order of the words, so that it is reversed": lambda left, right, u, v, k: (
                f"{k}{u}={v}"
            ),
            "Writes 'times as many' as an addition": lambda left, right, u, v, k: f"{u}={v}+{k}",
            "Adds the letters and sets the sum equal to the given number": lambda left, right, u, v, k: f"{u}+{v}={k}",
        },
        thoughts=(
            "notes down what is heard: $k, then $u for $left, equals $v for $right",
            "puts $k more to $v with a plus",
            "puts $u and $v together with a plus and says that they make $k",
        ),
        show=show_maths,
        choices=lambda left, right, u, v, k: [f"{k}{u}{v}=1", f"{u}={k}-{v}", f"{u}-{v}={k}", f"{u}{v}={k}"],
    ),
    Template(
        construct="Interpret an expression in a context",
        subject=SUBJECT,
        texts=(
            r"One $one costs \( x \) pence, one $two costs \( y \) pence. What does \( $a x+$b y \) stand for?",
            (
                r"At a stall a $one is \( x \) pence and a $two is \( y \) pence."
                "\n"
                r"$name writes \( $a x+$b y \). What does it mean?"
            ),
        ),
        draw=lambda r: dict(
            zip(("one", "two"), r.sample(("pear", "plum", "melon", "lemon", "fig"), 2), strict=True),
            a=r.randint(2, 9),
            b=r.randint(2, 9),
        ),
        right=lambda one, two, a, b: f"the cost of {a} {one}s and {b} {two}s, in pence",
        rules={
            "Takes a letter as the name of an object": lambda one, two, a, b: f"{a} {one}s and {b} {two}s",
            "Takes a letter as the number of objects when it is a price": lambda one, two, a, b: (
                "how many pieces of fruit were bought"
            ),
            "Takes a coefficient as a price": lambda one, two, a, b: (
                f"{one}s for {a} pence and {two}s for {b} pence each"
            ),
        },
        thoughts=(
            "reads x as a $one itself and y as a $two itself, so sees $a and $b of them",
            "reads x and y as how many were bought",
            "reads $a and $b as pence for one piece",
        ),
        show=show_text,
        choices=lambda one, two, a, b: [
            f"the cost of {b} {one}s and {a} {two}s, in pence",
            f"the cost of one {one} and one {two}, in pence",
            f"the weight of {a} {one}s and {b} {two}s",
        ],
    ),
)
