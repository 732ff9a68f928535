"""Guards lists.py and reading.py: the exact prompts of the kinds that read lists, and which candidates a list holds."""

from dataclasses import replace

import pytest

from inference.engines.packing.prefix_forest import grow
from shared.prompts.kinds import PROMPTS, READINGS, kind_of, reading_of
from shared.prompts.lists import CumulativePrompt, ListedPrompt
from shared.prompts.pointwise import RerankerPrompt, reranker_passage, reranker_query
from shared.prompts.query import Written
from shared.prompts.reading import cut_lists, prompts_in_order
from shared.prompts.words import Words


def letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


WORDS = Words(letters, letters, head=(1,), tail=(2,))
QUERY, PASSAGES = Written("query"), [Written("one"), Written("two", "notes"), Written("three")]
LISTED = ListedPrompt(99, 99, "Yes?", window=3, listed_tokens=4, description_tokens=99)
CUMULATIVE = CumulativePrompt(99, 99, "Yes?", window=3, description_tokens=99)


def read(prompt, passages=PASSAGES):
    rows = prompts_in_order(reading_of(prompt), WORDS, prompt, QUERY, passages)
    return ["".join(map(chr, row)).removeprefix(chr(1)) for row in rows]


def test_listed_shows_the_text_of_every_candidate_in_front_of_the_one_that_is_read():
    shown = "A: query\nCandidates:\none\ntwo\nthre"  # a line has 4 letters at most, and no description
    assert read(LISTED) == [
        shown + "\nB: one\nYes?",
        shown + "\nB: two\nMeaning: notes\nYes?",
        shown + "\nB: three\nYes?",
    ]
    assert read(replace(LISTED, instruction_place="first"))[0] == shown + "\nYes?\nB: one\n"
    asked, behind = "\n<Query>: query\nCandidates:\none\ntwo\nthre", "\n<Document>: one<|im_end|>\n"
    assert asked + behind in read(replace(LISTED, template="qwen3"))[0]


def test_cumulative_reads_each_candidate_behind_those_in_front_of_it():
    assert read(CUMULATIVE) == [
        "A: query\nB: one\nYes?",
        "A: query\nB: one\nB: two\nMeaning: notes\nYes?",
        "A: query\nB: one\nB: two\nMeaning: notes\nB: three\nYes?",
    ]
    assert read(replace(CUMULATIVE, instruction_place="first")) == [
        "A: query\nYes?\nB: one\n",
        "A: query\nYes?\nB: one\nB: two\nMeaning: notes\n",
        "A: query\nYes?\nB: one\nB: two\nMeaning: notes\nB: three\n",
    ]


def test_a_row_of_a_cumulative_prompt_does_not_depend_on_what_follows():
    assert read(CUMULATIVE, PASSAGES[:2]) == read(CUMULATIVE)[:2]
    # and behind the instruction it is a prefix of the next one: nothing is computed twice
    first, second, third = read(replace(CUMULATIVE, instruction_place="first"))
    assert second.startswith(first) and third.startswith(second)


def test_a_pair_is_what_a_candidate_alone_in_a_cumulative_list_is():
    pair = RerankerPrompt(99, 99, "Yes?", description_tokens=99)
    expected = [*reranker_query(WORDS, pair, QUERY), *reranker_passage(WORDS, pair, PASSAGES[1])]
    assert prompts_in_order(READINGS["pointwise"], WORDS, pair, QUERY, PASSAGES)[1] == expected
    assert read(CUMULATIVE, PASSAGES[1:2]) == ["".join(map(chr, expected[1:]))]


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("prompt", [RerankerPrompt(99, 99, "Yes?"), LISTED, CUMULATIVE])
def test_the_tokens_behind_a_query_are_those_that_an_engine_computes(prompt, place):
    prompt = replace(prompt, instruction_place=place)
    reading = reading_of(prompt)
    asked = reading.query(WORDS, prompt, QUERY)
    # candidates of which no two begin alike: what else they happened to share would be saved as well
    parts = [reading.candidate(WORDS, prompt, Written(text)) for text in ("one", "two", "four and five")]
    rows = reading.rows(WORDS, prompt, asked, parts)
    (forest,) = grow(rows.ids, most=10_000)
    # behind a query stand 'one', 'two' and 'four and five', 19 letters
    around = {"last": 3 * len("\nB: " + "\nYes?"), "first": 3 * len("\nB: " + "\n")}[place]
    expected = {
        "pointwise": 19 + around,
        "listed": len("\nCandidates:" + "\none\ntwo\nfour") + len("\nYes?") * (place == "first") + 19 + around,
        # the line break behind a candidate is the one in front of the next
        "cumulative": 19 + around - 2,
    }[kind_of(prompt)]
    assert rows.tokens == expected
    # an engine also saves the words in front of a candidate, where the next one's stand at the same place
    also = 0 if kind_of(prompt) == "cumulative" else 2 * len("\nB: ")
    assert len(forest) == len(asked) + rows.tokens - also


@pytest.mark.parametrize("count", range(12))
@pytest.mark.parametrize("most", [1, 2, 3, 5, 20])
def test_lists_hold_every_rank_once_and_are_of_about_equal_length(count, most):
    lists = list(cut_lists(count, most))
    assert [place for part in lists for place in part] == list(range(count))
    lengths = [len(part) for part in lists]
    assert len(lists) == -(-count // most) and all(length <= most for length in lengths)
    assert not lengths or (max(lengths) - min(lengths) <= 1 and min(lengths) >= 1)


def test_25_candidates_with_a_window_of_16_are_read_as_12_and_13():
    assert [len(part) for part in cut_lists(25, 16)] == [12, 13]
    assert [len(part) for part in cut_lists(25, None)] == [25]


def test_each_kind_has_a_prompt_of_its_own_and_is_found_by_it():
    for kind, prompt in PROMPTS.items():
        assert kind_of(prompt(9, 9, "Yes?")) == kind
