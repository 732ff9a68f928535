"""Makes the checked table of written questions: what the rules found, how easy each is, which are kept and why not.

What is written for one misconception beyond so many good ones is dropped too: an id with many questions would be
learnt as a likely answer.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from training.synthesis.check import RULES, find_flags
from training.synthesis.ease import Ease, measure_ease
from training.synthesis.question import Question
from training.synthesis.schema import SYNTHETIC

EASY, ENOUGH = "too_easy", "enough"  # reasons besides the RULES
REASONS = (*RULES, EASY, ENOUGH)


@dataclass(frozen=True)
class Limits:
    """What a question is held against, beside the rules."""

    similar: float  # Jaccard index from which on two texts are near
    ease_rank: int  # with `ease_words`: found by BM25 within this rank; 0 caps nothing
    ease_words: float  # and so many of the name's words are there
    most: int  # questions of a misconception that are kept


def checked_table(
    questions: Sequence[Question],
    real: Sequence[str],
    misconceptions: pl.DataFrame,
    limits: Limits,
    sources: Mapping[str, tuple[str, str]],
) -> pl.DataFrame:
    """SYNTHETIC of `questions`, in their order.

    `real` are the real questions' texts of all folds, `sources` {name: (writer, shots)} says where each comes from.
    """
    flags = find_flags(questions, real, limits.similar)
    eases = measure_ease(questions, misconceptions) if questions else []
    kept: Counter[int] = Counter()
    rows = []
    for one, own, ease in zip(questions, flags, eases, strict=True):
        reason = _reason(own, ease, kept[one.misconception_id], limits)
        kept[one.misconception_id] += not reason
        texts = (one.subject, one.construct, one.question, one.correct, one.wrong, list(one.others), one.letters)
        found = (" ".join(own), ease.rank, ease.words, not reason, reason)
        rows.append((one.name, one.misconception_id, *texts, *sources[one.name], *found))
    return pl.DataFrame(rows, schema=SYNTHETIC.schema, orient="row")


def count_reasons(table: pl.DataFrame, unusable: Sequence[str]) -> list[tuple[str, int, int]]:
    """(reason, questions dropped for it, questions left behind it) in the order of the checks.

    `unusable` are the reasons of what was no question at all; they stand first.
    """
    before, dropped = Counter(unusable), Counter(table["reason"].to_list())
    left, counts = len(table) + len(unusable), []
    for name, count in (*sorted(before.items()), *((name, dropped[name]) for name in REASONS)):
        left -= count
        counts.append((name, count, left))
    return counts


def _reason(flags: tuple[str, ...], ease: Ease, kept: int, limits: Limits) -> str:
    if flags:
        return flags[0]
    if limits.ease_rank and ease.is_trivial(limits.ease_rank, limits.ease_words):
        return EASY
    return ENOUGH if kept >= limits.most else ""
