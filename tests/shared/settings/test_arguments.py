"""Guards arguments.py: every word behind a command is taken for what it is, or refused with the nearest known one."""

import pytest

from shared.settings.arguments import read_arguments


def test_each_word_is_taken_for_what_it_is():
    read = read_arguments(
        ["iter=1", "--public", "a.b=c=d", "split=cv", "a.c=2"], ("iter", "split"), flags=("--public",), overrides=True
    )
    assert read.options == {"iter": "1", "split": "cv"}
    assert read.overrides == ("a.b=c=d", "a.c=2") and read.flags == {"--public"}


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("itre=1", "'itre=1' is none of iter=..., split=..., --public, section.key=value; did you mean iter=1?"),
        ("--publik", "did you mean --public?"),
        ("--public=1", "'--public=1' is none of"),
        ("iter", "did you mean iter=?"),
        ("zzz", "'zzz' is none of iter=..., split=..., --public, section.key=value$"),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest_known_one(argument, words):
    with pytest.raises(ValueError, match=words.replace("?", r"\?").replace(".", r"\.")):
        read_arguments([argument], ("iter", "split"), flags=("--public",), overrides=True)


def test_a_word_for_settings_is_refused_where_there_are_none():
    with pytest.raises(ValueError, match=r"'a\.b=1' is none of iter=\.\.\.$"):
        read_arguments(["a.b=1"], ("iter",))
    with pytest.raises(ValueError, match="nothing stands behind this command"):
        read_arguments(["x"], ())


def test_an_override_stands_once_or_says_the_same():
    assert read_arguments(["a.b=1", "a.b=1"], (), overrides=True).overrides == ("a.b=1",)
    with pytest.raises(ValueError, match=r"a\.b=1 and a\.b=2: say it once"):
        read_arguments(["a.b=1", "a.b=2"], (), overrides=True)


def test_a_name_stands_once_or_says_the_same():
    assert read_arguments(["iter=1", "iter=1"], ("iter",)).options == {"iter": "1"}
    with pytest.raises(ValueError, match="iter=1 and iter=2: say it once"):
        read_arguments(["iter=1", "iter=2"], ("iter",))
