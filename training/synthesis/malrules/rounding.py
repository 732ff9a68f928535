"""Asks for rounded numbers and bounds, with the usual wrong rules.

Reading: no single source; these are commonplaces of the classroom.
"""

from fractions import Fraction

from training.synthesis.malrules.show import show_text, show_unit
from training.synthesis.malrules.template import Template, round_to

SUBJECT = "Rounding"

CUTS_OFF = "Rounds by cutting digits off, never rounding up"
DROPS_ZEROS = "Leaves out the zeros that hold the place after rounding"
TENTH, HUNDREDTH, THOUSANDTH = Fraction(1, 10), Fraction(1, 100), Fraction(1, 1000)


def draw_four_places(r) -> dict[str, Fraction]:
    """A number like 7.2346, where rounding twice often differs from rounding once."""
    digits = [r.randint(1, 9), r.randint(1, 9), r.randint(1, 8), r.choice((4, 4, 4, 2, 6, 7, 8)), r.randint(5, 9)]
    return {"v": Fraction(int("".join(map(str, digits))), 10000)}


TEMPLATES = (
    Template(
        construct="Round a whole number to the nearest hundred",
        subject=SUBJECT,
        texts=(
            r"Round \( $n \) to the nearest hundred.",
            'A reporter writes "$n people came". What is this number, to the nearest 100?',
        ),
        draw=lambda r: {"n": r.randint(1101, 9899)},
        right=lambda n: int(round_to(n, 100)),
        rules={
            CUTS_OFF: lambda n: n // 100 * 100,
            "Always rounds up, whatever the next digit is": lambda n: -(-n // 100) * 100,
            "Rounds one digit but leaves the digits after it as they were": lambda n: int(round_to(n, 100)) + n % 100,
            "Takes the tens column for the hundreds column": lambda n: int(round_to(n, 10)),
            DROPS_ZEROS: lambda n: int(round_to(n, 100)) // 100,
        },
        thoughts=(
            "keeps the figures down to the hundreds and puts 00 behind, without a look at what followed",
            "goes to the hundred above, though the one below may be nearer",
            "changes the hundreds as one should, but lets the last two figures of $n stand",
            "goes to the nearest ten",
            "says how many hundreds come out, without 00 behind",
        ),
        show=show_text,
    ),
    Template(
        construct="Round a number to two decimal places",
        subject=SUBJECT,
        texts=("Round $v to 2 decimal places.", "What is $v correct to 2 d.p.?"),
        draw=draw_four_places,
        right=lambda v: round_to(v, HUNDREDTH),
        rules={
            CUTS_OFF: lambda v: v // HUNDREDTH * HUNDREDTH,
            "Rounds one digit after another, starting from the last": lambda v: round_to(
                round_to(v, THOUSANDTH), HUNDREDTH
            ),
            "Counts decimal places from the first digit of the number": lambda v: round_to(v, TENTH),
            "Takes decimal places to mean whole numbers": lambda v: round_to(v, 1),
        },
        thoughts=(
            "keeps two figures behind the point and drops what follows",
            "goes to three places first, and from there to two",
            "keeps two figures in all, and so goes to the nearest tenth",
            "goes to the nearest integer",
        ),
        show=show_text,
    ),
    Template(
        construct="Round a small number to two significant figures",
        subject=SUBJECT,
        texts=("Round $v to 2 significant figures.", 'A display shows "$v". Write this correct to 2 s.f.'),
        draw=lambda r: {"v": Fraction(r.randint(1111, 9888), 100000)},
        right=lambda v: round_to(v, THOUSANDTH),
        rules={
            "Counts the zeros after the decimal point as significant": lambda v: round_to(v, HUNDREDTH),
            CUTS_OFF: lambda v: v // THOUSANDTH * THOUSANDTH,
            DROPS_ZEROS: lambda v: round_to(v, THOUSANDTH) * 10,
        },
        thoughts=(
            "lets the leading 0 be one of the two figures",
            "keeps the two leading figures and drops what follows",
            "finds the two figures, but loses the 0 before them, so that they stand too high",
        ),
        show=show_text,
    ),
    Template(
        construct="Find the upper bound of a rounded measurement",
        subject=SUBJECT,
        texts=(
            "A rope is $n cm long, correct to the nearest centimetre. What is the upper bound of its length?",
            "$name measures a table: $n cm, to the nearest cm.\nWhich is the upper bound?",
        ),
        draw=lambda r: {"n": r.randint(11, 299)},
        right=lambda n: n + Fraction(1, 2),
        rules={
            "Believes that the upper bound is the last one-decimal number that rounds down": lambda n: n + 4 * TENTH,
            "Places a bound a whole unit away instead of half a unit": lambda n: n + 1,
            "Believes that a rounded measurement is exact": lambda n: n,
            "Mixes up the upper and the lower bound": lambda n: n - Fraction(1, 2),
        },
        thoughts=(
            "goes up by 0.4 from $n, since 0.5 would go to the next centimetre",
            "goes up by a full centimetre from $n",
            "takes $n as it stands, with no error either way",
            "goes down by 0.5 from $n",
        ),
        show=show_unit("cm"),
    ),
)
