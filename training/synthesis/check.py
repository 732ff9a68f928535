"""Puts written questions to every rule that needs no model, and counts what each of them finds."""

from collections import Counter
from collections.abc import Callable, Sequence

from training.synthesis.question import Question
from training.synthesis.rules import answers, repeats, texts

# What each rule is called in tables, in the order in which the first one that a question breaks is its reason to go.
ALONE: dict[str, Callable[[Question], bool]] = {
    "control": texts.has_control_characters,
    "language": texts.is_not_english,
    "fence": texts.has_code_fence,
    "latex": texts.has_broken_latex,
    "picture": texts.lacks_picture,
    "equal_answers": answers.has_equal_answers,
    "equal_values": answers.has_equal_values,
    "wrong_key": answers.has_wrong_key,
}
BESIDE = ("near_real", "ambiguous", "repeated", "near")
RULES = (*ALONE, *BESIDE)


def find_flags(questions: Sequence[Question], real: Sequence[str], similar: float) -> list[tuple[str, ...]]:
    """For each question the RULES that it breaks, in their order.

    `real` are the texts of the real questions of all folds, `similar` is the Jaccard index of runs of five words from
    which on two texts are near (shared/task/near_duplicates.py). Repeats are looked for among the questions that keep
    every rule before, so that a broken question takes no good one along.
    """
    flags = [tuple(name for name, breaks in ALONE.items() if breaks(one)) for one in questions]
    near_real = repeats.find_near_real(questions, real, similar)
    ambiguous = repeats.find_ambiguous(questions)
    whole = [place for place, own in enumerate(flags) if not own and place not in near_real | ambiguous]
    rest = [questions[place] for place in whole]
    repeated = {whole[place] for place in repeats.find_repeated(rest)}
    near = {whole[place] for place in repeats.find_near(rest, similar)}
    beside = {"near_real": near_real, "ambiguous": ambiguous, "repeated": repeated, "near": near}
    return [(*own, *(name for name in BESIDE if place in beside[name])) for place, own in enumerate(flags)]


def count_flags(flags: Sequence[tuple[str, ...]]) -> dict[str, tuple[int, int, int]]:
    """Of each rule: the questions that break it, those that it is the first to drop, and those left behind it."""
    broken = Counter(name for own in flags for name in own)
    first = Counter(own[0] for own in flags if own)
    left, counts = len(flags), {}
    for name in RULES:
        left -= first[name]
        counts[name] = broken[name], first[name], left
    return counts
