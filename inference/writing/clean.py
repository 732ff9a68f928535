"""Makes a text that other models read of what a language model wrote: cuts what nobody asked for, and says what it cut.

Nothing here changes what a sentence says. A text without damage comes back as it was, without a flag.
"""

import re

FLAGS = (  # in the order in which they are found
    "control",  # characters that no text holds, as when `\frac` was decoded to a form feed and `rac`
    "thought",  # what a model said to itself between think tags
    "label",  # "Explanation:" or "Here is the thinking:" in front
    "tail",  # what came behind the text: "]", "###", "---", or a further paragraph behind a short text
    "cjk",  # Chinese, Japanese or Korean, and what came behind it
    "repeated",  # a line or a sentence that stood there before, as when a model goes round in circles
    "cut",  # a last sentence without an end, as when a limit was hit
    "latex",  # \( without \), or the reverse
    "empty",  # nothing is left
)
ONE_PARAGRAPH = ("short",)  # kinds of which a further paragraph is a tail

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff\ufffd]")
_LABELS = (
    "answer|chain of thought|description|explanation|misconception|misunderstanding|"
    "output|rationale|reasoning|response|thinking"
)
_LABEL = re.compile(rf"^(?:[#>*\s]*(?:{_LABELS})[*\s]*:[*\s]*)+", re.IGNORECASE)
_OPENING = re.compile(r"^(?:here|sure|certainly|of course|okay|ok)\b[^\n]{0,120}:\s*\n+", re.IGNORECASE)
_FRAMES = (("[", "]"), ('"', '"'), ("“", "”"), ("`", "`"))  # around the whole text
_TAIL = re.compile(r"(?<!\\)\](?=\s*(?:\n|#|$))|#{3,}\s*$|\n\s*(?:-{3,}|\*{3,}|={3,})\s*$|<\|[^|\n]*\|>?.*", re.DOTALL)
_SECTION = re.compile(r"\s*#{2,}|\n\s*(?:-{3,}|\*{3,}|={3,})|\n\s*\n")
_CJK = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
# "e.g" and "i.e" end no sentence; brackets and quotes may close behind one.
_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)[.!?][\"'”’)\]*`]*(?:\s*\\[)\]])?(?=\s|$)")
_ITEM = re.compile(r"(?m)^[ ]*(?:[-*•]|\d{1,2}[.)])[ ]+\S.*$")  # a line of a list ends without a full stop
_NUMBER = re.compile(r"\s*\d{1,2}[.)]")  # of a list: its full stop ends no sentence
_CLOSED = re.compile(r"\\[)\]]\**$|\$\**$")  # a formula may be a text's last word
_DELIMITER = re.compile(r"(?<!\\)\\[()\[\]]")
_CLOSES = {r"\(": r"\)", r"\[": r"\]"}


def clean(kind: str, raw: str, *, finished: bool = False) -> tuple[str, tuple[str, ...]]:
    """The text in `raw` ("" where none is left), and the FLAGS of what was wrong with it.

    `finished`: the model ended the text itself, so that its last sentence is whole whatever it ends with.
    """
    text, found = raw.replace("\r\n", "\n").replace("\t", " ").strip(), set()
    for flag, step in (
        ("control", lambda text: _CONTROL.sub("", text)),
        ("thought", _behind_the_thought),
        ("label", _without_label),
        ("tail", lambda text: _without_tail(text, kind in ONE_PARAGRAPH)),
        ("cjk", _before_cjk),
        ("repeated", _without_repetition),
        ("cut", lambda text: text if finished else _whole_sentences(text)),
        ("latex", _balanced),
    ):
        changed = step(text).strip()
        if changed != text:
            found.add(flag)
        text = changed
    if text and not (finished or _ends(text)):  # the only sentence that there is
        found.add("cut")
    if not re.search(r"\w", text):
        text = ""
        found.add("empty")
    return text, tuple(flag for flag in FLAGS if flag in found)


def _behind_the_thought(text: str) -> str:
    if "</think>" in text:
        return text.rpartition("</think>")[2]
    return "" if "<think>" in text else text


def _without_label(text: str) -> str:
    before, _, rest = text.partition("\n")
    if before.rstrip("* ").endswith(":") and _OPENING.match(text):
        text = rest.strip()
    return _LABEL.sub("", text)


def _without_tail(text: str, one_paragraph: bool) -> str:
    if one_paragraph:
        section = _SECTION.search(text, len(text) - len(text.lstrip("#*- \n")))
        text = _unframed(text[: section.start()].rstrip() if section else text)
        lone = next((match.start() for match in _TAIL.finditer(text) if "[" not in text[: match.start()]), None)
        return _unframed(text[:lone].rstrip())
    while (last := _last_tail(text)) is not None:
        text = text[:last].rstrip()
    return _unframed(text)


def _unframed(text: str) -> str:
    for left, right in _FRAMES:
        inner = text[1:].removesuffix(right)
        if text.startswith(left) and left not in inner and right not in inner:
            return inner
    return text


def _last_tail(text: str) -> int | None:
    """Where a tail of a longer text begins: at its end, or at a token of the model's own that came out as text."""
    for match in _TAIL.finditer(text):
        own = match[0].startswith("<|")
        if own or (match.end() == len(text) and (match[0] != "]" or "[" not in text)):
            return match.start()
    return None


def _before_cjk(text: str) -> str:
    found = _CJK.search(text)
    if not found:
        return text
    ends = _find_ends(text[: found.start()])
    return text[: ends[-1]] if ends else ""


def _without_repetition(text: str) -> str:
    """The text up to where a long line or sentence comes a second time right behind itself."""
    for match in re.finditer(r"(?s)(?:^|(?<=\s))(\S.{30,400}?)\s+\1(?=\s|$)", text):
        return text[: match.end(1)]
    return text


def _whole_sentences(text: str) -> str:
    """The text without a last sentence or item that does not end; all of it where no other one is there."""
    if _ends(text):
        return text
    items = [match.end() for match in _ITEM.finditer(text) if match.end() < len(text)]
    ends = [*_find_ends(text), *items]
    return text[: max(ends)] if ends else text


def _ends(text: str) -> bool:
    return len(text) in _find_ends(text) or bool(_CLOSED.search(text))


def _find_ends(text: str) -> list[int]:
    """Where sentences end."""
    return [
        match.end()
        for match in _END.finditer(text)
        if not _NUMBER.fullmatch(text, text.rfind("\n", 0, match.start()) + 1, match.end())
    ]


def _balanced(text: str) -> str:
    """The text without delimiters of formulas that have no partner."""
    lonely: list[tuple[int, str]] = []
    opened: tuple[int, str] | None = None
    for match in _DELIMITER.finditer(text):
        here = (match.start(), match[0])
        if match[0] in _CLOSES:
            lonely += [opened] if opened else []
            opened = here
        elif opened and _CLOSES[opened[1]] == match[0]:
            opened = None
        else:
            lonely.append(here)
    for start, mark in sorted([*lonely, *([opened] if opened else [])], reverse=True):
        text = text[:start] + text[start + len(mark) :].lstrip(" ")
    return text
