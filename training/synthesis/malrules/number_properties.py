"""Asks for factors, multiples and primes, with the usual wrong rules.

Reading: Zazkis and Campbell (1996) on divisibility.
"""

from math import gcd, lcm

from training.synthesis.malrules.show import show_text
from training.synthesis.malrules.template import Template

SUBJECT = "Number properties"

MIXES_HCF_LCM = "Mixes up the highest common factor and the lowest common multiple"


def draw_common(r) -> dict[str, int]:
    """Two numbers with a common factor that is not prime."""
    p, q = r.sample((2, 3, 4, 5, 6, 7, 9), 2)
    return {"a": p * (k := r.choice((4, 6, 8, 9, 10, 12))), "b": q * k}


def is_prime(n: int) -> bool:
    return n > 1 and all(n % divisor for divisor in range(2, n))


def first_common_factor(a: int, b: int) -> int:
    return next(n for n in range(2, min(a, b) + 1) if gcd(a, b) % n == 0)


TEMPLATES = (
    Template(
        construct="Find the highest common factor",
        subject=SUBJECT,
        texts=("What is the highest common factor of $a and $b?", "Find the HCF of $a and $b."),
        draw=draw_common,
        right=lambda a, b: gcd(a, b),
        rules={
            MIXES_HCF_LCM: lambda a, b: lcm(a, b),
            "Stops at the first common factor found": first_common_factor,
            "Takes the difference of two numbers as their highest common factor": lambda a, b: abs(a - b),
        },
        thoughts=(
            "looks for the first number that stands in both times tables, of $a and of $b",
            "tries 2, 3, 4, ... and ends with the smallest that divides both $a and $b",
            "subtracts one from the other, $a and $b",
        ),
        show=show_text,
    ),
    Template(
        construct="Find the lowest common multiple",
        subject=SUBJECT,
        texts=(
            "What is the lowest common multiple of $a and $b?",
            (
                "One light flashes every $a seconds, another every $b seconds. They flash together now. "
                "After how many seconds do they flash together again?"
            ),
        ),
        draw=draw_common,
        right=lambda a, b: lcm(a, b),
        rules={
            MIXES_HCF_LCM: lambda a, b: gcd(a, b),
            "Believes that the lowest common multiple is always the product": lambda a, b: a * b,
            "Adds two numbers to find their lowest common multiple": lambda a, b: a + b,
        },
        thoughts=(
            "looks for the biggest number that divides both $a and $b",
            "finds $a × $b",
            "finds $a + $b",
        ),
        show=show_text,
    ),
    Template(
        construct="Recognise prime numbers",
        subject=SUBJECT,
        texts=("How many of these numbers are prime? $listed", "Count the primes in this list:\n$listed"),
        draw=lambda r: {"listed": tuple(sorted([1, 2, *r.sample(range(5, 60), 5)]))},
        right=lambda listed: sum(map(is_prime, listed)),
        rules={
            "Believes that every odd number above one is prime": lambda listed: sum(
                n == 2 or n % 2 for n in listed if n > 1
            ),
            "Believes that one is a prime number": lambda listed: 1 + sum(map(is_prime, listed)),
            "Believes that two is not prime because it is even": lambda listed: sum(map(is_prime, listed)) - 1,
        },
        thoughts=(
            "ticks 2 and all others that cannot be halved, except 1",
            "ticks 1 as well, since nothing but itself divides it",
            "leaves 2 out, for it can be halved",
        ),
        show=show_text,
    ),
)
