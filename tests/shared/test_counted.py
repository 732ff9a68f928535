"""Guards counted.py: a number's noun is the one that is said."""

import pytest

from shared.counted import count


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "stage", "1 stage"),
        (0, "stage", "0 stages"),
        (2, "query", "2 queries"),
        (1_024, "finished stage", "1,024 finished stages"),
    ],
)
def test_one_has_the_singular_and_all_others_the_plural(number, noun, said):
    assert count(number, noun) == said
