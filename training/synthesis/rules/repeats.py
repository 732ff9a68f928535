"""Rules about a question beside others: that it is new in its batch, no copy of a real one, and of one misconception.

Real questions of all folds count: a copy of a validation question would be a leak, one of a training question is
nothing new.
"""

from collections import defaultdict
from collections.abc import Sequence

from shared.task.near_duplicates import near_pairs
from training.synthesis.question import Question


def find_repeated(questions: Sequence[Question]) -> set[int]:
    """Places of questions whose text stood in the batch before; the first one stays."""
    seen: set[str] = set()
    return {place for place, one in enumerate(questions) if (key := _key(one.question)) in seen or seen.add(key)}


def find_near(questions: Sequence[Question], similar: float) -> set[int]:
    """Places of questions whose text is near one that stands before it and stays, without being the same."""
    texts = list(dict.fromkeys(_key(one.question) for one in questions))
    dropped: set[int] = set()
    for place, other in near_pairs(texts, texts, similar):
        if other < place and other not in dropped:
            dropped.add(place)
    near = {texts[place] for place in dropped}
    return {place for place, one in enumerate(questions) if _key(one.question) in near}


def find_near_real(questions: Sequence[Question], real: Sequence[str], similar: float) -> set[int]:
    """Places of questions whose text is near one of the `real` questions, or the same."""
    texts = list(dict.fromkeys(_key(one.question) for one in questions))
    known = [_key(text) for text in dict.fromkeys(real)]
    near = {texts[place] for place, _ in near_pairs(texts, known, similar)}
    return {place for place, one in enumerate(questions) if _key(one.question) in near}


def find_ambiguous(questions: Sequence[Question]) -> set[int]:
    """Places of questions whose text and wrong answer also stand under another misconception: which is it then?

    All of them go: each would be a false negative of the other. The same words of a question with another wrong answer
    may well show another misconception.
    """
    carried, places = defaultdict(set), defaultdict(list)
    for place, one in enumerate(questions):
        key = _key(one.question), "".join(one.wrong.split()).casefold()
        carried[key].add(one.misconception_id)
        places[key].append(place)
    return {place for key, ids in carried.items() if len(ids) > 1 for place in places[key]}


def _key(text: str) -> str:
    """The text without case and white space, which writers change without saying anything else."""
    return " ".join(text.casefold().split())
