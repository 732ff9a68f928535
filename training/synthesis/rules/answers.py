"""Rules about the answers of a question: that they differ, in words and in value, and that the right one is right."""

import re
from itertools import combinations

from training.synthesis.numbers import quantity_of, value_of
from training.synthesis.question import Question

# Of such a question the form of a number is what is asked: 2/4 and 1/2 are then two answers.
_ABOUT_FORM = re.compile(
    r"simplif|simplest|lowest terms|equivalent|cancel|standard form|index form|decimal place|significant|round|"
    r"convert|improper|mixed number|factor|expand|\bas an? |\bas the |in the form|written|\bwrite\b|express",
    re.IGNORECASE,
)
# A question that is nothing but a calculation: what stands behind these words is all of it.
_CALCULATION = re.compile(
    r"\s*(?:what is|what's|calculate|work out|evaluate|compute|find|find the value of|what is the value of|"
    r"what is the result of|what is the answer to|solve)?:?\s*(?P<sum>[^?=A-Za-z]*(?:\\[A-Za-z]+[^?=A-Za-z]*)*?)"
    r"\s*(?:=\s*)?(?:\\\)|\$)?\s*(?:=\s*)?[?_.\s]*",
    re.IGNORECASE,
)
_IS_SUM = re.compile(r"[-+*/^×÷−]|\\(?:times|div|cdot|frac)")


def has_equal_answers(one: Question) -> bool:
    """Two options have the same words."""
    texts = ["".join(option.split()).casefold() for option in one.options]
    return len(set(texts)) < len(texts)


def has_equal_values(one: Question) -> bool:
    """Two options in different words are the same number in the same unit, and the question is not about its form."""
    if _ABOUT_FORM.search(f"{one.question} {one.construct}"):
        return False
    texts = dict.fromkeys("".join(option.split()).casefold() for option in one.options)
    first = {"".join(option.split()).casefold(): option for option in reversed(one.options)}
    values = [quantity_of(first[text]) for text in texts]
    return any(a is not None and a == b for a, b in combinations(values, 2))


def has_wrong_key(one: Question) -> bool:
    """The question is plain arithmetic, and its right answer is another number than its result."""
    result, given = result_of(one.question), quantity_of(one.correct)
    return result is not None and given is not None and not given.unit and result != given.value


def result_of(question: str):
    """The value of a question that is plain arithmetic and nothing else; None for any other."""
    match = _CALCULATION.fullmatch(question)
    if match is None or not _IS_SUM.search(match["sum"]):
        return None
    return value_of(match["sum"])
