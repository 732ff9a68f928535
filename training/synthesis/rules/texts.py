"""Rules about the texts of a question: that they are whole, in English, and can be understood without a picture."""

import re
import unicodedata

from training.synthesis.question import Question

_SHOWN = re.compile(
    r"\b(?:diagram|picture|image|graph|figure|chart|drawing|grid|number line|sketch|table|shape|triangle|rectangle)s?\b"
    r"[^.?!\n]{0,30}\b(?:below|above|shown|opposite)\b|"
    r"\b(?:shown|pictured|illustrated|drawn) (?:below|above|here|in the)\b|"
    r"\b(?:in|from|on|at|using|to|of) (?:the|this) (?:diagram|picture|image|graph|figure|chart|drawing|sketch)\b|"
    r"\bthe (?:diagram|picture|image|figure|drawing) (?:shows|below)\b",
    re.IGNORECASE,
)
# A picture in Markdown with a text that says what is on it, or such a text in brackets: [Graph: a line through ...]
_PICTURE = re.compile(r"!\[[^\]]*\w|\[[^\]]*(?:diagram|graph|image|picture|figure|chart)[^\]]{12,}\]", re.IGNORECASE)
_TABLE = re.compile(r"\\begin\{(?:array|tabular|matrix)|\|[^|\n]+\||\n[^\n]*\t")
_FENCE = re.compile(r"```|~~~")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
# What is left of \times, \text, \theta, \tan, \right, \rho, \neq, \nabla where JSON read a backslash as an escape.
_ESCAPED = re.compile(r"\t(?=imes\b|ext\b|heta\b|an\b|riangle\b)|\r(?=ight\b|ho\b)|\n(?=eq\b|abla\b)")
_DELIMITER = re.compile(r"(?<!\\)\\[()\[\]]")
_CLOSES = {r"\(": r"\)", r"\[": r"\]"}
_BRACE = re.compile(r"(?<!\\)(?:\\\\)*[{}]")
_NO_ARGUMENT = re.compile(r"\\(?:[dt]?frac|sqrt|mathrm|text|begin|end)(?=\s*(?:$|\\[()\[\]]|[=+,.?]))")
_PAIRS = ((re.compile(r"\\begin\b"), re.compile(r"\\end\b")), (re.compile(r"\\left\b"), re.compile(r"\\right\b")))
_WORD = re.compile(r"[^\W\d_]+")
_COMMAND = re.compile(r"\\[A-Za-z]+")
FEWEST_WORDS, FEWEST_FOREIGN = 6, 2  # below, a question says too little for its language to be told
_ENGLISH = frozenset(
    _WORD.findall(
        "the a an of is are what which to in and for how find calculate work out solve simplify expand each has with "
        "by value answer from if this on when many much"
    )
)
_FOREIGN = frozenset(
    _WORD.findall(
        "el los las del una por que cuál cuánto der die das und ist welche wie eine le les des est une quel quelle "
        "combien il della che di um uma não é qual o e"
    )
)


def lacks_picture(one: Question) -> bool:
    """The question speaks of a picture, and no text says what is on it."""
    if not _SHOWN.search(one.question):
        return False
    told = _PICTURE.search(one.question) or any(_PICTURE.search(option) for option in one.options)
    return not (told or _TABLE.search(one.question))


def has_code_fence(one: Question) -> bool:
    """A text has the fence of a code block."""
    return any(_FENCE.search(text) for text in one.fields)


def has_control_characters(one: Question) -> bool:
    """A text has characters that no text holds, or what JSON's escapes leave of a LaTeX command."""
    return any(_CONTROL.search(text) or _ESCAPED.search(text) for text in one.fields)


def has_broken_latex(one: Question) -> bool:
    """A text has a bracket, brace or environment of LaTeX without its partner, or a command without its argument."""
    return any(_is_broken(text) for text in one.fields)


def is_not_english(one: Question) -> bool:
    """A letter is of another script (Greek ones stand for angles), or the question's words are another language's."""
    if any(_is_foreign(sign) for text in one.fields for sign in text if sign > "\u024f"):
        return True
    words = [word.casefold() for word in _WORD.findall(_COMMAND.sub(" ", one.question))]
    foreign = len(_FOREIGN.intersection(words))
    return len(words) >= FEWEST_WORDS and foreign >= FEWEST_FOREIGN and not _ENGLISH.intersection(words)


def _is_broken(text: str) -> bool:
    opened = ""
    for mark in _DELIMITER.findall(text):
        if mark in _CLOSES and not opened:
            opened = mark
        elif opened and _CLOSES[opened] == mark:
            opened = ""
        else:
            return True
    depth = 0
    for brace in _BRACE.findall(text):
        depth += 1 if brace[-1] == "{" else -1
        if depth < 0:
            return True
    pairs = any(len(begin.findall(text)) != len(end.findall(text)) for begin, end in _PAIRS)
    return bool(opened or depth or pairs or _NO_ARGUMENT.search(text) or text.count("$$") % 2)


def _is_foreign(sign: str) -> bool:
    if not sign.isalpha():
        return False
    script = unicodedata.name(sign, "?").partition(" ")[0]
    return script in {
        *("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "CYRILLIC", "ARABIC", "HEBREW", "THAI", "DEVANAGARI", "BENGALI"),
        *("TAMIL", "GEORGIAN", "ARMENIAN"),
    }
