"""Guards sensitivity.py: what is said of rankings that do not read the wrong answer."""

import polars as pl

from shared.task.tables import SIBLINGS
from training.analysis.sensitivity import HEADERS, read_siblings, sensitivity_differences, sensitivity_rows


def table_of(*same_first, ranking="reranked", shared=10.0):
    """A row of a question of its own for each of `same_first`, behind one of the labels."""
    rows = [
        ("labelled", name, number, same and name != "labels", shared, None, None, None, None)
        for name in ("labels", ranking)
        for number, same in enumerate(same_first)
    ]
    return pl.DataFrame(rows, schema=SIBLINGS.schema, orient="row")


def test_every_ranking_has_a_row_and_the_labels_the_last_one():
    rows = sensitivity_rows([table_of(True, True, True, True)], "labelled", 50)
    assert [row[0] for row in rows] == ["reranked", "labels"]
    assert all(len(row) == 1 + len(HEADERS) for row in rows)
    assert rows[0][1:4] == ["1.000 (1.000-1.000)", "10.0 (10.0-10.0)", "-"]
    assert rows[1][1] == "0.000 (0.000-0.000)"


def test_a_difference_is_paired_by_question_and_leaves_out_what_a_side_has_not():
    a, b = ([table_of(*same).filter(pl.col("ranking") == "reranked")] for same in ((1, 1, 1, 1), (0, 0, 0, 0)))
    lines = sensitivity_differences(a, b, 50)
    assert lines == [
        "same first    1.000 -> 0.000, -1.000 (95 %: -1.000 to -1.000)",
        "shared of 25  10.000 -> 10.000, +0.000 (95 %: +0.000 to +0.000)",
    ]


def test_a_run_that_an_older_version_evaluated_has_none(tmp_path):
    assert read_siblings(tmp_path) is None
    SIBLINGS.write(table_of(), tmp_path / "evaluate")
    assert read_siblings(tmp_path) is None  # no question has siblings
    SIBLINGS.write(table_of(True), tmp_path / "evaluate")
    assert len(read_siblings(tmp_path)) == 2
