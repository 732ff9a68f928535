"""Guards shots.py: solved examples are labelled training rows, the same for all rows, none of a row's own question."""

import polars as pl
import pytest

from inference.writing.requests import row_requests, words_of_writer
from inference.writing.shots import Shots, choose_shots, find_shots, write_shots

SIMILAR = 0.5


def _texts(queries, kinds=("short", "cot")):
    return {key: {kind: f"{kind} of {key}." for kind in kinds} for key in queries["query_id"]}


def _chosen(queries, count=2, seed="s") -> Shots:
    return choose_shots(queries, _texts(queries), ("short",), count, SIMILAR, seed)


def test_shots_are_labelled_training_rows_of_different_questions_drawn_by_their_seed(queries):
    shots = _chosen(queries).shots
    assert len(shots) == 3 and len({shot.question for shot in shots}) == 3
    labelled = queries.filter(pl.col("fold") == "train").drop_nulls("misconception_id")
    assert {shot.query_id for shot in shots} <= set(labelled["query_id"])
    assert all(shot.texts == {"short": f"short of {shot.query_id}."} for shot in shots)
    assert shots == _chosen(queries.sample(fraction=1, shuffle=True, seed=1)).shots  # whatever the order of the rows
    drawn = {tuple(shot.query_id for shot in _chosen(queries, seed=str(seed)).shots) for seed in range(5)}
    assert len(drawn) > 1


def test_all_rows_are_shown_the_same_but_those_of_a_shots_own_question(queries):
    chosen = _chosen(queries)
    first, second, spare = chosen.shots
    shown = chosen.of(queries["question"].to_list())
    assert shown.pop(first.question) == (second, spare) and shown.pop(second.question) == (first, spare)
    assert all(own == (first, second) for own in shown.values())  # also for the spare's own question
    assert len(shown) == queries["question"].n_unique() - 2


def test_a_question_near_that_of_a_shot_is_not_shown_it(queries):
    chosen = _chosen(queries)
    first, second, spare = chosen.shots
    near, far = f"{first.question} Now.", "Which of these shapes has the most sides of all?"
    assert chosen.of([near, far]) == {near: (second, spare), far: (first, second)}


def test_two_shots_are_never_of_questions_near_each_other(queries):
    twins = queries.with_columns(question=pl.lit("What is the sum of one half and one third?"))
    with pytest.raises(ValueError, match="about 1 labelled training questions that are not near each other, and 2 sho"):
        choose_shots(twins, _texts(twins), ("short",), 2, SIMILAR, "s")


def test_rows_without_a_text_of_every_kind_are_no_shots(queries):
    with pytest.raises(ValueError, match="about 0 labelled training questions"):
        choose_shots(queries, _texts(queries, ("short",)), ("short", "cot"), 1, SIMILAR, "s")


def test_prompts_begin_alike_up_to_the_row_and_name_what_was_shown(queries, tiny_causal):
    chosen, words = _chosen(queries), words_of_writer(tiny_causal)
    requests = row_requests(queries, words, ("short",), chosen)
    plain = row_requests(queries, words, ("short",))
    usual = tuple(shot.query_id for shot in chosen.shots[:2])
    alike = [request.prompt for request in requests if request.shots == usual]
    start = next(place for place, ids in enumerate(zip(*alike, strict=False)) if len(set(ids)) > 1)
    whole = [request.prompt for request in plain]
    before = next(place for place, ids in enumerate(zip(*whole, strict=False)) if len(set(ids)) > 1)
    assert len(alike) == len(queries) - 4 and start > before + 2 * 100  # two rows of more than 100 letters
    for request, other in zip(requests, plain, strict=True):
        own = request.key.partition("_")[0]
        assert own not in {shot.partition("_")[0] for shot in request.shots} and len(request.shots) == 2
        assert request.prompt[-20:] == other.prompt[-20:] and other.shots == ()


def test_what_was_shown_is_found_again_and_another_file_is_refused(queries, tmp_path):
    chosen = _chosen(queries)
    assert find_shots(tmp_path, None, ["short"]) is None
    write_shots(chosen, tmp_path)
    assert find_shots(tmp_path, None, ["short"]) == chosen == find_shots(tmp_path / "x", tmp_path / "shots.json", [])
    with pytest.raises(ValueError, match="shots.json has no texts of kind cot, which a model reads"):
        find_shots(tmp_path, None, ["cot"])
    for text in ("{}", "[", "[]", '{"count": 1, "similar": 1, "shots": [{"query_id": "a"}]}'):
        (tmp_path / "shots.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="shots.json holds no solved examples for a writer"):
            find_shots(tmp_path, None, ["short"])
