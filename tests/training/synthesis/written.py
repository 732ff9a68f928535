"""Makes questions for the tests of synthesis: a good one, of which a test changes what it is about."""

from dataclasses import replace

from training.synthesis.question import Question

GOOD = Question(
    "7/0",
    7,
    "Adding Fractions",
    "Add two fractions with different denominators",
    r"A jug holds \( \frac{1}{2} \) of a litre and a cup holds a third of one. What do they hold together?",
    r"\( \frac{5}{6} \)",
    r"\( \frac{2}{5} \)",
    (r"\( \frac{1}{6} \)", "1"),
)


def change(**fields) -> Question:
    return replace(GOOD, **fields)
