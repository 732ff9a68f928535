"""Asks for durations, clock times and speeds, with the usual wrong rules.

Reading: Dickson, Brown and Gibson, Children Learning Mathematics (1984).
"""

from fractions import Fraction

from training.synthesis.malrules.show import show_between, show_clock, show_duration
from training.synthesis.malrules.template import Template, decimal

SUBJECT = "Clock times"

HUNDRED_MINUTES = "Calculates with times as if an hour had a hundred minutes"


def draw_journey(r) -> dict[str, object]:
    """From h:m to k:n, where the minutes of the start are larger; `start` and `end` as on a clock."""
    h, m = r.randint(6, 12), 5 * r.randint(3, 11)
    k, n = h + r.randint(2, 8), 5 * r.randint(0, m // 5 - 1)
    return {"h": h, "m": m, "k": k, "n": n, "start": f"{h:02d}:{m:02d}", "end": f"{k:02d}:{n:02d}"}


def draw_start(r) -> dict[str, object]:
    """h:m and a duration of d minutes that passes the full hour."""
    h, m = r.randint(6, 18), 5 * r.randint(6, 11)
    return {"h": h, "m": m, "d": 5 * r.randint(13 - m // 5, 11), "start": f"{h:02d}:{m:02d}"}


def draw_two_speeds(r) -> dict[str, int]:
    """Two speeds whose average over equal distances is whole."""
    s, t = r.choice(((20, 30), (40, 60), (30, 60), (60, 90), (20, 80), (40, 120), (15, 30), (60, 120), (12, 24)))
    return {"s": s, "t": t, "d": s * t * r.randint(1, 4) // 10}


TEMPLATES = (
    Template(
        construct="Find the time between two clock times",
        subject=SUBJECT,
        texts=(
            "A train leaves at $start and arrives at $end. How long is the journey?",
            '"Open from $start to $end", says a sign. For how long is the shop open?',
        ),
        draw=draw_journey,
        right=lambda h, m, k, n, **_: divmod(60 * (k - h) + n - m, 60),
        rules={
            HUNDRED_MINUTES: lambda h, m, k, n, **_: divmod(100 * (k - h) + n - m, 100),
            "Takes the smaller number of minutes from the larger, whichever comes first": lambda h, m, k, n, **_: (
                k - h,
                m - n,
            ),
            "Forgets to take off the hour that was changed into minutes": lambda h, m, k, n, **_: (k - h, 60 + n - m),
        },
        thoughts=(
            "reads $start and $end like decimals, and borrows 100 in place of 60",
            "finds $k - $h, and then the gap of $m and $n, though $m belongs to the start",
            "borrows 60 for $n - $m, but still has all of $k - $h",
        ),
        show=show_duration,
    ),
    Template(
        construct="Find the time after a number of minutes",
        subject=SUBJECT,
        texts=(
            "A film starts at $start and lasts $d minutes. When does it end?",
            "It is $start now. What will a clock show in $d minutes?",
        ),
        draw=draw_start,
        right=lambda h, m, d, start: divmod(60 * h + m + d, 60),
        rules={
            "Forgets to carry the hour when the minutes pass sixty": lambda h, m, d, start: (h, m + d - 60),
            "Lets the minutes of a clock time pass sixty": lambda h, m, d, start: (h, m + d) if m + d < 100 else None,
            HUNDRED_MINUTES: lambda h, m, d, start: (h + 1, m + d - 100) if m + d >= 100 else None,
            "Goes back in time when asked for a later time": lambda h, m, d, start: divmod(60 * h + m - d, 60),
        },
        thoughts=(
            "finds $m + $d, subtracts 60, and lets $h stand",
            "finds $m + $d and writes it behind $h, though it is over 59",
            "finds $m + $d and subtracts 100 in place of 60 for one more than $h",
            "subtracts $d from $start",
        ),
        show=show_clock,
    ),
    Template(
        construct="Find a distance from a speed and a time in hours and minutes",
        subject=SUBJECT,
        texts=(
            "A car drives for $h h $m min, at $s km/h. How far does it go?",
            "$name rides at a steady $s km/h. How far is that in $h h and $m min?",
        ),
        draw=lambda r: {"h": r.randint(1, 4), "m": r.choice((15, 30, 45)), "s": 20 * r.randint(1, 5)},
        right=lambda h, m, s: s * (h + Fraction(m, 60)),
        rules={
            "Writes the minutes behind the decimal point of the hours": lambda h, m, s: s * (h + Fraction(m, 100)),
            "Divides the speed by the time to find a distance": lambda h, m, s: decimal(s / (h + Fraction(m, 60))),
            "Ignores the minutes of a time": lambda h, m, s: s * h,
        },
        thoughts=(
            "reads $h h $m min as $h.$m and takes $s times that",
            "finds $s over $h h $m min, as if km/h were shared out",
            "finds $s × $h; $m is never used",
        ),
        show=show_between("", " km"),
    ),
    Template(
        construct="Find an average speed over two equal distances",
        subject=SUBJECT,
        texts=(
            "A van drives $d km at $s km/h and the same way back at $t km/h. What is its average speed?",
            "$name goes $d km at $s km/h, then another $d km at $t km/h. Find the average speed for the whole way.",
        ),
        draw=draw_two_speeds,
        right=lambda s, t, d: Fraction(2 * s * t, s + t),
        rules={
            "Averages two speeds without regard to the time spent at each": lambda s, t, d: Fraction(s + t, 2),
            "Adds two speeds to find the speed for the whole way": lambda s, t, d: s + t,
            "Takes the difference of two speeds as the average": lambda s, t, d: t - s,
        },
        thoughts=(
            "finds ($s + $t) ÷ 2",
            "finds $s + $t",
            "finds $t - $s",
        ),
        show=show_between("", " km/h"),
    ),
)
