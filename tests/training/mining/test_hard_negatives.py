"""Guards hard_negatives.py: the negatives of a query come from its window, without its answer, the same every time."""

import polars as pl
import pytest

from shared.task.tables import CANDIDATES, FILE_QUERIES, GROUPS, QUERIES
from training.mining.hard_negatives import add_random, add_siblings, drop_twins, few_negatives, pick_negatives

MINE = {"lowest": 2, "highest": 6, "count": 3, "seed": "mine"}


def query(query_id, misconception_id, fold="train"):
    return (query_id, int(query_id.split("_")[0]), "c", "s", "text", "1", "2", misconception_id, fold)


def table_of(*rows):
    return pl.DataFrame(rows, schema=QUERIES.schema, orient="row")


def ranking(query_id, ids):
    rows = [(query_id, id_, rank, 1 / rank) for rank, id_ in enumerate(ids, 1)]
    return pl.DataFrame(rows, schema=CANDIDATES.schema, orient="row")


def negatives(groups):
    return groups.filter(~pl.col("is_positive"))["misconception_id"].to_list()


def test_the_window_is_cut_before_the_positive_is_dropped_as_flagembedding_does():
    # ranks [2, 6) from 0: 12, 13, 14, 15; the positive leaves three, and 16 does not come up in its place
    groups = pick_negatives(table_of(query("1_A", 13)), ranking("1_A", range(10, 20)), **MINE)
    assert negatives(groups) == [12, 14, 15]
    GROUPS.check(groups, "groups")


def test_a_positive_outside_the_window_is_still_the_positive_with_its_rank():
    groups = pick_negatives(table_of(query("1_A", 10)), ranking("1_A", range(10, 20)), **{**MINE, "count": 4})
    assert groups.filter("is_positive").select("misconception_id", "rank").row(0) == (10, 1)
    assert negatives(groups) == [12, 13, 14, 15]


def test_a_positive_that_was_not_retrieved_has_no_rank():
    groups = pick_negatives(table_of(query("1_A", 99)), ranking("1_A", range(10, 20)), **MINE)
    assert groups.filter("is_positive").select("misconception_id", "rank", "retrieval_score").row(0) == (99, None, None)
    GROUPS.check(groups, "groups")


def test_a_misconception_of_the_positives_words_is_no_negative(queries, misconceptions):
    asked = queries.filter(pl.col("query_id") == "1_B")  # its answer is 12, and 42 has the same words
    candidates = ranking("1_B", [10, 11, 42, 12, 20, 21])
    louder = misconceptions.with_columns(
        text=pl.when(pl.col("misconception_id") == 42).then(pl.lit("MULTIPLIES, instead of adding.")).otherwise("text")
    )
    for catalogue in (misconceptions, louder):
        left = drop_twins(candidates, asked, catalogue)
        assert left["misconception_id"].to_list() == [10, 11, 12, 20, 21]
        assert negatives(pick_negatives(asked, left, **{**MINE, "count": 2})) == [20, 21]


def test_only_labelled_training_queries_are_mined():
    rows = [query("1_A", 10), query("2_A", None), query("3_A", 11, "valid"), query("4_A", 12)]
    candidates = pl.concat([ranking(row[0], range(20, 30)) for row in rows])
    groups = pick_negatives(table_of(*rows), candidates, **MINE)
    assert groups["query_id"].unique(maintain_order=True).to_list() == ["1_A", "4_A"]
    assert (
        groups.group_by("query_id").agg(pl.len(), pl.col("is_positive").sum()).drop("query_id").rows() == [(4, 1)] * 2
    )


# seed: `list(set(corpus))` and an unseeded draw made mining irreproducible
def test_the_same_input_gives_the_same_bytes_in_whatever_order_its_rows_are(tmp_path):
    rows = [query(f"{number}_A", number % 7) for number in range(30)]
    candidates = pl.concat([ranking(row[0], [(number * 3 + row[1]) % 50 for number in range(50)]) for row in rows])
    shuffled = [frame.sample(fraction=1, shuffle=True, seed=1) for frame in (table_of(*rows), candidates)]
    draw = {**MINE, "highest": 40, "count": 10}
    for name, tables in {
        "one": (table_of(*rows), candidates),
        "two": (table_of(*rows), candidates),
        "three": shuffled,
    }.items():
        GROUPS.write(pick_negatives(*tables, **draw), tmp_path / name)
    one, two, three = (GROUPS.path(tmp_path / name).read_bytes() for name in ("one", "two", "three"))
    assert one == two == three
    assert not pick_negatives(*shuffled, **draw).equals(pick_negatives(*shuffled, **{**draw, "seed": "other"}))


def test_a_draw_depends_on_its_query_alone():
    rows = [query(f"{number}_A", 99) for number in range(6)]
    candidates = pl.concat([ranking(row[0], range(50)) for row in rows])
    draw = {**MINE, "highest": 40, "count": 10}
    whole = pick_negatives(table_of(*rows), candidates, **draw)
    alone = pick_negatives(table_of(rows[4]), candidates, **draw)
    assert alone.equals(whole.filter(pl.col("query_id") == "4_A"))
    assert len({tuple(part) for part in whole.group_by("query_id").agg("misconception_id")["misconception_id"]}) == 6


def test_a_window_that_is_too_narrow_is_an_error():
    with pytest.raises(
        ValueError, match="query 1_A has 3 negatives .* count asks for 4, and 10 misconceptions compete: lower"
    ):
        pick_negatives(table_of(query("1_A", 13)), ranking("1_A", range(10, 20)), **{**MINE, "count": 4})
    with pytest.raises(ValueError, match="1 queries have no candidate in ranks 2 to 6"):
        pick_negatives(table_of(query("1_A", 9), query("2_A", 9)), ranking("1_A", range(10, 20)), **MINE)
    with pytest.raises(ValueError, match="1 queries have no candidate"):
        pick_negatives(
            table_of(query("1_A", 9), query("2_A", 9)),
            pl.concat([ranking("1_A", range(10, 20)), ranking("2_A", [1, 2])]),
            **MINE,
        )


def test_a_siblings_misconception_joins_the_mined_ones_once_with_the_rank_that_it_has():
    rows = [query("1_A", 10), query("1_B", 11), query("2_A", 12)]
    candidates = pl.concat([ranking(row[0], range(10, 20)) for row in rows[:2]] + [ranking("2_A", range(30, 40))])
    siblings = pl.DataFrame({"query_id": ["1_A", "1_B", "2_B"], "misconception_id": [11, 99, 5]})
    plain = pick_negatives(table_of(*rows), candidates, **MINE)
    groups = add_siblings(plain, siblings, candidates)
    GROUPS.check(groups, "groups")
    assert groups.filter(query_id="1_A", misconception_id=11).rows() == [("1_A", 11, 2, 0.5, False)]
    assert groups.filter(query_id="1_B", misconception_id=99).rows() == [("1_B", 99, None, None, False)]
    assert len(groups) == len(plain) + 2 and groups.filter(query_id="2_A").equals(plain.filter(query_id="2_A"))
    assert add_siblings(groups, siblings, candidates).equals(groups)  # a pair stands there once


def test_no_right_answer_of_a_query_is_its_negative():
    row = {"query_id": "q", "question_id": 1, "question": "t", "context": "", "text": "t", "misconception_id": 13}
    row |= {"right": [13, 15], "grades": [2, 1], "fold": "train"}
    several = pl.DataFrame([row], schema=FILE_QUERIES.schema)
    # ranks [2, 6) from 0: 12, 13, 14, 15; both right answers leave two
    groups = pick_negatives(several, ranking("q", range(10, 20)), **{**MINE, "count": 2})
    assert negatives(groups) == [12, 14]
    assert groups.filter("is_positive").select("misconception_id", "rank").rows() == [(13, 4), (15, 6)]


def test_random_negatives_come_from_anywhere_behind_lowest_and_none_twice():
    rows = [query("1_A", 13), query("2_A", 19)]
    candidates = pl.concat([ranking(row[0], range(10, 20)) for row in rows])
    hard = pick_negatives(table_of(*rows), candidates, **{**MINE, "count": 2})
    # 1_A: behind the two first ranks are 12 to 19; its answer is 13, and two are drawn: 5 are left, here all of them
    groups = add_random(hard.filter(query_id="1_A"), table_of(*rows), candidates, lowest=2, count=5, seed="mine")
    GROUPS.check(groups, "groups")
    assert negatives(groups) == [12, 14, 15, 16, 17, 18, 19]
    few = [add_random(hard, table_of(*rows), candidates, lowest=2, count=3, seed=seed) for seed in ("a", "a", "b")]
    assert few[0].equals(few[1]) and not few[0].equals(few[2])
    assert few[0].group_by("query_id").len()["len"].to_list() == [1 + 2 + 3] * 2
    assert few[0].join(hard, on=list(hard.columns), nulls_equal=True, how="semi").equals(hard)
    assert add_random(hard, table_of(*rows), candidates, lowest=2, count=0, seed="mine") is hard
    with pytest.raises(ValueError, match="query 1_A has 5 more negatives behind mine's lowest, and random asks for 6"):
        add_random(hard, table_of(*rows), candidates, lowest=2, count=6, seed="mine")


def test_the_queries_with_few_negatives_are_those_that_picking_refuses():
    rows = [query("1_A", 13), query("2_A", 99), query("3_A", 5, "valid"), query("4_A", 1)]
    candidates = pl.concat([ranking("1_A", range(10, 20)), ranking("2_A", range(10, 20)), ranking("3_A", [1])])
    # 1_A has three in ranks [2, 6), 2_A four, 4_A no candidate at all; 3_A does not train
    assert few_negatives(table_of(*rows), candidates, lowest=2, highest=6, count=3) == ["4_A"]
    assert few_negatives(table_of(*rows), candidates, lowest=2, highest=6, count=4) == ["1_A", "4_A"]
