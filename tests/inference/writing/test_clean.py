"""Guards clean.py: what nobody asked for goes, what a sentence says stays, and each kind of damage has its flag."""

import pytest

from inference.writing.clean import FLAGS, clean

SENTENCE = "They add the numerators and the denominators."


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("short", SENTENCE),
        ("short", r"They read \( \frac{1}{2} \) as \( 1.2 \)."),
        ("short", "They take [2, 5] as 2 to 4, i.e. without its end."),
        ("short", r"They get \( m + 1 \)"),  # a formula may be the last word
        ("cot", f"1. **First** they add.\n2. Then they halve it.\n\n{SENTENCE}"),
        ("cot", "They believe 3 < 2 (because -3 < -2)."),
        ("description", f"{SENTENCE}\n\n- 1/2 + 1/3 gives 2/5.\n- 2/3 + 1/4 gives 3/7."),
        ("description", "Thinks that £5 is less than 50p!"),
    ],
)
def test_a_text_without_damage_stays_as_it_is_and_has_no_flag(kind, text):
    assert clean(kind, text) == (text, ())


@pytest.mark.parametrize(
    ("kind", "raw", "text", "flags"),
    [
        ("short", f"{SENTENCE}]###", SENTENCE, ("tail",)),
        ("short", f"[{SENTENCE}]", SENTENCE, ("tail",)),
        ("short", f'"{SENTENCE}"', SENTENCE, ("tail",)),
        ("short", f"{SENTENCE}\n\nThe right way is to find", SENTENCE, ("tail",)),
        ("short", f"{SENTENCE}\n---", SENTENCE, ("tail",)),
        ("short", f"{SENTENCE}<|im_end|>", SENTENCE, ("tail",)),
        ("cot", f"{SENTENCE}\n\n{SENTENCE[:9]}.\n\n###", f"{SENTENCE}\n\n{SENTENCE[:9]}.", ("tail",)),
        ("cot", f"{SENTENCE}\n---\n", SENTENCE, ("tail",)),
        ("short", f"{SENTENCE} So they get 2 over", SENTENCE, ("cut",)),
        ("cot", f"1. {SENTENCE}\n2.", f"1. {SENTENCE}", ("cut",)),  # a list's number is no sentence
        ("cot", f"{SENTENCE} They use primes, e.g. two", SENTENCE, ("cut",)),
        ("description", "Adds:\n- 1/2 + 1/3 is 2/5\n- 2/3 + 1/", "Adds:\n- 1/2 + 1/3 is 2/5", ("cut",)),
        ("short", "They add the", "They add the", ("cut",)),  # there is no other sentence: the retry decides
        ("short", f"Explanation: {SENTENCE}", SENTENCE, ("label",)),
        ("cot", f"**Explanation:**\n\n{SENTENCE}", SENTENCE, ("label",)),
        ("short", f"Here is the thinking behind it:\n\n{SENTENCE}", SENTENCE, ("label",)),
        ("cot", f"{SENTENCE} 他们可能 so.", SENTENCE, ("cjk",)),
        ("cot", "源于他们", "", ("cjk", "empty")),
        ("cot", f"<think>Hm. It is 5.</think>\n{SENTENCE}", SENTENCE, ("thought",)),
        ("cot", "<think>Hm. It is 5. Or", "", ("thought", "empty")),
        ("short", "They read \x0crac as a word.", "They read rac as a word.", ("control",)),
        ("short", r"They take \( x + 1 as a product.", "They take x + 1 as a product.", ("latex",)),
        ("short", r"They take x + 1 \) as \( y \).", r"They take x + 1 as \( y \).", ("latex",)),
        ("cot", f"{SENTENCE} {SENTENCE} {SENTENCE} They", SENTENCE, ("repeated",)),
        ("short", "", "", ("empty",)),
        ("short", "Misconception:", "", ("label", "empty")),
        ("short", " ]###", "", ("tail", "empty")),
        # the last sentence goes, and with it the bracket that it opened
        ("short", f"Rationale: {SENTENCE} They \\( x", SENTENCE, ("label", "cut")),
    ],
)
def test_damage_goes_and_is_told(kind, raw, text, flags):
    assert clean(kind, raw) == (text, flags)


def test_what_the_model_ended_itself_keeps_a_last_line_without_a_full_stop():
    raw = "Adds across.\n- 1/2 + 1/3 is 2/5\n- 2/3 + 1/4 is 3/7"
    assert clean("description", raw, finished=True) == (raw, ())
    assert clean("description", raw) == (raw[: raw.rindex("\n")], ("cut",))


def test_cleaning_twice_is_cleaning_once():
    for raw in (f"[{SENTENCE}]\n\n###", f"Answer: {SENTENCE} And \\( 1", f"{SENTENCE} {SENTENCE}", "源 a"):
        for kind in ("short", "cot", "description"):
            text, flags = clean(kind, raw)
            assert clean(kind, text)[0] == text
            assert set(flags) <= set(FLAGS)
