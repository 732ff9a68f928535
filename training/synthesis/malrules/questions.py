"""Makes multiple-choice questions out of templates: right answer, distractors from wrong rules, and random slips."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from string import Template as Phrase

from training.synthesis.malrules.show import show_text
from training.synthesis.malrules.template import Template, Value

LETTERS = "ABCD"
NAMES = ("Amira", "Ben", "Chidi", "Dana", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jo", "Luca", "Mei", "Noor", "Tom")
TRIES = 1000  # every other draw is fair at least; the rest is for finding a text that is new


@dataclass(frozen=True)
class Question:
    """One question; `labels` says which options are distractors of which misconception, and can be recomputed."""

    template: Template
    params: dict[str, Value]
    text: str
    correct: str  # the letter of the right answer
    options: dict[str, str]  # letter -> text
    labels: dict[str, str]  # letter -> misconception, never of the right answer


def make_question(template: Template, choose: Callable, taken: set[str], rng: Random) -> Question:
    """Draw until the numbers are fair, the text is new (and adds it to `taken`) and `choose` picks a rule.

    `choose` gets the names of the rules that give a distractor here and returns one to three of them, or none.
    Raises ValueError when a template has no new question left.
    """
    for _ in range(TRIES):
        params = template.draw(rng)
        text = phrase(rng.choice(template.texts), params, rng)
        distractors = run_rules(template, params)
        labelled = choose(list(distractors)) if text not in taken else []
        slips = draw_slips(template, params, distractors, 3 - len(labelled), rng) if labelled else []
        if len(labelled) + len(slips) == 3:
            taken.add(text)
            return _arrange(template, params, text, {name: distractors[name] for name in labelled}, slips, rng)
    raise ValueError(f"no new question found for '{template.construct}': ask for fewer questions")


def phrase(text: str, params: dict[str, Value], rng: Random) -> str:
    """Fill the drawn parameters, and a pupil's name, into one phrasing."""
    return fill(text, params, name=rng.choice(NAMES))


def fill(text: str, params: dict[str, Value], **further: str) -> str:
    """Fill the drawn parameters, and what else is named, into a text with $."""
    shown = {key: ", ".join(map(str, v)) if isinstance(v, tuple) else show_text(v) for key, v in params.items()}
    return Phrase(text).substitute(shown, **further)


def run_rules(template: Template, params: dict[str, Value]) -> dict[str, str]:
    """Misconception -> distractor, for the rules that go wrong on these numbers.

    Empty when two rules meet in one distractor: its label would be ambiguous.
    """
    right = template.show(template.right(**params))
    values = {name: wrong(**params) for name, wrong in template.rules.items()}
    shown = {name: template.show(value) for name, value in values.items() if value is not None}
    distractors = {name: text for name, text in shown.items() if text != right}
    return distractors if len(set(distractors.values())) == len(distractors) else {}


def draw_slips(template: Template, params: dict, distractors: dict[str, str], count: int, rng: Random) -> list[str]:
    """Up to `count` wrong options that no rule of the template produces."""
    right = template.right(**params)
    choices = template.choices and template.choices(**params)
    banned = {template.show(right), *distractors.values()}
    slips = []
    for _ in range(20 * count):
        text = template.show(rng.choice(choices) if choices else nudge(right, rng))
        if len(slips) < count and text not in banned:
            slips.append(text)
            banned.add(text)
    return slips


def nudge(value: Value, rng: Random) -> Value:
    """A careless neighbour of the value: same sign, about as round, and below one if the value is a proper fraction."""
    if isinstance(value, tuple):
        place = rng.choice([i for i, item in enumerate(value) if item] or [0])
        return (*value[:place], nudge(value[place], rng), *value[place + 1 :])
    if value.denominator == 1:
        value = int(value)
        unit = rng.choice((_find_unit(value), max(1, _find_unit(value) // 10)))
    else:
        finer = 1 if not 0 < value < 1 else 4 if value.denominator < 10 else rng.choice((1, 2))
        unit = Fraction(1, value.denominator * finer)
    moved = [value + step * unit for step in (-4, -3, -2, -1, 1, 2, 3, 4)]
    same_sign = [m for m in moved if m and m * value >= 0]
    return rng.choice([m for m in same_sign if m < 1 or value >= 1 or value <= 0])


def _find_unit(value: int) -> int:
    """The largest power of ten that divides the value."""
    unit = 1
    while value and value % (10 * unit) == 0:
        unit *= 10
    return unit


def _arrange(template: Template, params: dict, text: str, labelled: dict[str, str], slips: list[str], rng) -> Question:
    texts = [template.show(template.right(**params)), *labelled.values(), *slips]
    options = dict(zip(LETTERS, rng.sample(texts, len(LETTERS)), strict=True))
    letters = {option: letter for letter, option in options.items()}
    labels = {letters[distractor]: name for name, distractor in labelled.items()}
    return Question(template, params, text, letters[texts[0]], options, labels)
