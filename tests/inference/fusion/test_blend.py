"""Guards blend.py and ensemble.py: blended numbers are those worked out by hand, whatever the rows' order."""

import math
from pathlib import Path

import polars as pl
import pytest

from inference.fusion.blend import blend_candidates, blend_scores, put_in_order
from inference.fusion.ensemble import Member, read_member
from shared.task.tables import CANDIDATES

SCORED = {"query_id": pl.String, "misconception_id": pl.Int64, "rerank_score": pl.Float32}


def candidates(query_id, **scores):
    """Candidates in the order of the scores given: candidates("a", i7=0.9, i5=0.5)."""
    rows = [(query_id, int(name[1:]), rank, score) for rank, (name, score) in enumerate(scores.items(), 1)]
    return pl.DataFrame(rows, schema=CANDIDATES.schema, orient="row")


def scored(query_id, **scores):
    rows = [(query_id, int(name[1:]), score) for name, score in scores.items()]
    return pl.DataFrame(rows, schema=SCORED, orient="row")


def values(table, column, query_id="a"):
    part = table.filter(pl.col("query_id") == query_id)
    return dict(zip(part["misconception_id"], part[column], strict=True))


def test_candidates_are_blended_in_units_of_each_lists_own_spread():
    first = candidates("a", i1=0.9, i2=0.7, i3=0.5)  # mean 0.7, spread sqrt(0.08 / 3) = 0.1633
    second = candidates("a", i3=30.0, i2=20.0, i4=10.0)  # mean 20, spread sqrt(200 / 3) = 8.165
    blended = blend_candidates([first, second], [3.0, 1.0], "score", 3)
    CANDIDATES.check(blended, "blended")
    # standardised: 1 -> 1.2247, 2 -> 0, 3 -> -1.2247; and 3 -> 1.2247, 2 -> 0, 4 -> -1.2247. What a list lacks is its
    # last: 1 has (3 * 1.2247 - 1.2247) / 4 = 0.6124, 2 has 0, 3 has (-3 + 1) * 1.2247 / 4 = -0.6124, 4 has -1.2247
    assert blended["misconception_id"].to_list() == [1, 2, 3]  # 4 is cut off
    # in the first list's units: 0.7 + 0.6124 * 0.1633 = 0.8, 0.7, 0.6
    assert values(blended, "retrieval_score") == pytest.approx({1: 0.8, 2: 0.7, 3: 0.6})
    assert blended["rank"].to_list() == [1, 2, 3]


def test_candidates_are_blended_by_reciprocal_rank_and_ties_go_to_the_lower_id():
    first, second = candidates("a", i9=5.0, i2=4.0), candidates("a", i2=0.2, i9=0.1)
    blended = blend_candidates([first, second], [1.0, 1.0], "rank", 5)
    # both are first once and second once: (1/61 + 1/62) / 2
    assert values(blended, "retrieval_score") == pytest.approx(dict.fromkeys((2, 9), (1 / 61 + 1 / 62) / 2))
    assert blended["misconception_id"].to_list() == [2, 9]
    third = candidates("a", i7=9.0)
    blended = blend_candidates([first, third], [1.0, 3.0], "rank", 5)
    # 9: 1/61 and, as the third list lacks it, 1/62; 2: 1/62 and 1/62; 7: rank 3 of a list of two, 1/63, and 1/61
    expected = {7: (1 / 63 + 3 / 61) / 4, 9: (1 / 61 + 3 / 62) / 4, 2: 1 / 62}
    assert values(blended, "retrieval_score") == pytest.approx(expected)
    assert blended["misconception_id"].to_list() == [7, 9, 2]


@pytest.mark.parametrize("average", ["score", "rank"])
def test_a_pair_without_an_answer_is_judged_by_the_others_and_stays_null_where_there_is_none(average):
    first, second = scored("a", i1=2.0, i2=None, i3=None), scored("a", i1=4.0, i2=3.0, i3=None)
    # the first says nothing of 2, so that it has the second's 3, or that one's rank 2
    expected = {1: 3.0, 2: 3.0} if average == "score" else {1: 1 / 61, 2: 1 / 62}
    found = values(blend_scores([first, second], [1.0, 1.0], average), "rerank_score")
    assert found.pop(3) is None and found == pytest.approx(expected)


def test_a_pair_without_an_answer_keeps_its_place_and_the_others_go_around_it():
    ranked = put_in_order(
        pl.concat([candidates("a", i1=0.9, i2=0.8, i3=0.7, i4=0.6, i5=0.5), candidates("b", i1=0.9, i2=0.8)]),
        pl.concat([scored("a", i1=1.0, i2=None, i3=3.0, i4=2.0), scored("b", i1=None, i2=None)]),
        pl.col("rerank_score"),
        -pl.col("rank"),
    )
    # of a, 3, 4, 1 is the order of the scores and 5 has none; 2 stays second
    assert values(ranked, "rank") == {3: 1, 2: 2, 4: 3, 1: 4, 5: 5} and values(ranked, "rank", "b") == {1: 1, 2: 2}


def test_a_single_list_stays_as_it_is():
    first = candidates("a", i9=5.0, i2=4.0, i3=4.0)
    for average in ("score", "rank"):
        assert blend_candidates([first], [0.3], average, 2).equals(first.head(2))
        assert blend_scores([scored("a", i2=1.0, i9=-2.0)], [7.0], average).equals(scored("a", i2=1.0, i9=-2.0))


def test_a_list_of_equal_scores_moves_nothing():
    blended = blend_candidates([candidates("a", i1=0.5, i2=0.5), candidates("a", i2=3.0, i1=1.0)], [1, 1], "score", 2)
    # standardised 0 and 0; 1 and -1: the mean is +-0.5, in units of a list without spread it is 0.5 for both
    assert values(blended, "retrieval_score") == {1: 0.5, 2: 0.5}


def test_logits_are_averaged_by_weight_and_what_a_reranker_lacks_is_its_last():
    first, second = scored("a", i1=2.0, i2=-1.0, i3=0.0), scored("a", i1=-4.0, i2=1.0)
    blended = blend_scores([first, second], [2.0, 1.0], "score")
    # (2 * 2 - 4) / 3, (-2 + 1) / 3, (0 - 4) / 3: the second's last is -4
    assert values(blended, "rerank_score") == pytest.approx({1: 0.0, 2: -1 / 3, 3: -4 / 3})
    assert dict(blended.schema) == SCORED


def test_a_reranker_that_never_saw_a_query_says_nothing_of_it():
    first = pl.concat([scored("a", i1=2.0, i2=-1.0), scored("b", i5=0.25)])
    blended = blend_scores([first, scored("a", i1=0.0, i2=1.0)], [1.0, 1.0], "score")
    assert values(blended, "rerank_score") == {1: 1.0, 2: 0.0}
    assert values(blended, "rerank_score", "b") == {5: 0.25}


def test_rerankers_are_averaged_by_rank():
    blended = blend_scores([scored("a", i1=9.0, i2=8.0), scored("a", i1=-3.0, i2=-2.0)], [3.0, 1.0], "rank")
    # 1 is first for three quarters of the weight: (3/61 + 1/62) / 4
    assert values(blended, "rerank_score") == pytest.approx({1: (3 / 61 + 1 / 62) / 4, 2: (3 / 62 + 1 / 61) / 4})


@pytest.mark.parametrize("average", ["score", "rank"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_does_not_matter(average, seed):
    lists = [
        pl.concat([candidates("a", i1=0.9, i2=0.7, i3=0.5), candidates("b", i3=0.9, i2=0.7)]),
        pl.concat([candidates("a", i3=30.0, i2=20.0, i4=10.0), candidates("b", i1=1.0, i2=0.7)]),
    ]
    expected = blend_candidates(lists, [1.0, 2.0], average, 3)
    shuffled = [table.sample(fraction=1, shuffle=True, seed=seed) for table in lists]
    assert blend_candidates(shuffled, [1.0, 2.0], average, 3).equals(expected)


def test_a_folder_may_carry_a_weight(tmp_path):
    assert read_member("runs/a") == Member(Path("runs/a"), 1.0)
    assert read_member("runs/a=0.25").weight == 0.25
    odd = tmp_path / "k=2"
    odd.mkdir()
    assert read_member(str(odd)) == Member(odd)  # the folder is there under that very name
    assert math.isclose(read_member(f"{odd}=3").weight, 3.0)
    for wrong in ("a=0", "a=-1", "a=x", "a=inf", "a=nan", "a="):
        with pytest.raises(ValueError, match="is no weight above 0, as in DIR=0.5"):
            read_member(wrong)
