"""Writes what the generator knows about every wrong option of its questions, as a writer that is never wrong would.

It is told the wrong procedure behind an option, which no language model is: what models reach with these texts is what
texts can be worth at most. A text says what is done with the numbers. Of its misconception's name it has no word of
more than three letters that the question does not have already, but for FUNCTION_WORDS.
"""

from collections.abc import Iterable, Iterator

from training.synthesis.malrules.questions import LETTERS, Question, fill

FILE = "rationales.csv"
NAME = "perfect writer: what the generator knows"
HEADER = ("QuestionId_Answer", "Rationale", "Reasoning", "Writer")  # as inference/writing/replay.py reads them
FUNCTION_WORDS = frozenset({"from", "into", "than", "that", "what", "when", "with"})


def write_rationales(numbered: Iterable[tuple[int, Question]]) -> Iterator[tuple[str, ...]]:
    """A row of HEADER for every wrong option of the questions, in their order."""
    for number, question in numbered:
        for letter in LETTERS:
            if letter != question.correct:
                yield f"{number}_{letter}", *explain(question, letter), NAME


def explain(question: Question, letter: str) -> tuple[str, str]:
    """(in one or two sentences, as a chain of thought) what led to a wrong option."""
    right, wrong = question.options[question.correct], question.options[letter]
    if letter not in question.labels:
        short = f"The student knows the way and slips once, which leads to {wrong}."
        return short, f"One expects {right}. {short}"
    short = f"The student {fill(_thought(question, letter), question.params)}. This leads to {wrong}."
    return short, f"One expects {right}. {short} So exactly {wrong} is chosen, and not {right}."


def _thought(question: Question, letter: str) -> str:
    template, name = question.template, question.labels[letter]
    return dict(zip(template.rules, template.thoughts, strict=True))[name]
