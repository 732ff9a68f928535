"""Reads a question from the labelled lines that a language model wrote; what lacks a line is no question."""

import re

from shared.prompts.synthesis import LABELS
from training.synthesis.question import Question, Unusable

_FIRST = next(iter(LABELS))
_LABEL = re.compile(rf"^[*#\s]*({'|'.join(map(re.escape, LABELS))})[*\s]*:[*]*", re.IGNORECASE | re.MULTILINE)
_FIELDS = {label.casefold(): field for label, field in LABELS.items()}


def parse_question(name: str, raw: str) -> Question | Unusable:
    """The question in `raw`, for the misconception that `name` ("MisconceptionId/number") begins with.

    The first label may be missing: the prompt ends with it. A field may go over several lines, and what comes behind a
    label's second time is another question, which nobody asked for. LaTeX is taken as it stands.
    """
    found: dict[str, str] = {}
    parts = _LABEL.split(raw if _begins(raw) else f"{_FIRST}:{raw}")
    for label, text in zip(parts[1::2], parts[2::2], strict=True):
        field = _FIELDS[label.casefold()]
        if field in found:
            break
        found[field] = text.strip()
    if missing := [field for field in LABELS.values() if not re.search(r"\S", found.get(field, ""))]:
        return Unusable(name, f"no_{missing[0]}")
    texts = (found[field] for field in ("subject", "construct", "question", "correct", "wrong"))
    return Question(name, int(name.partition("/")[0]), *texts, (found["other_1"], found["other_2"]))


def _begins(raw: str) -> bool:
    match = _LABEL.match(raw)
    return bool(match and match[1].casefold() == _FIRST.casefold())
