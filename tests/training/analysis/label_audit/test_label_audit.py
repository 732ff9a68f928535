"""Guards the audit of labels and catalogue: what is planted is found, and what a person decides is measured."""

import numpy as np
import polars as pl
import pytest

from shared.task.tables import MISCONCEPTIONS
from tests.training.analysis.finished_run import finish_run
from training.analysis.label_audit.decisions import Decisions, read_decisions
from training.analysis.label_audit.duplicates import NEAR_VECTORS, NEAR_WORDS, SAME, find_duplicates, groups_of
from training.analysis.label_audit.label_audit import _join_same
from training.analysis.label_audit.suspects import find_confused, find_suspects
from training.analysis.report.page import write_page
from training.cli import main


def test_double_entries_are_found_by_words_and_by_vectors(misconceptions):
    more = {
        60: "ADDS  numerators and denominators",  # of 10, in other letters
        61: "Thinks that two minuses always make a plus",  # of 31: 7 of 8 words
        62: "Confuses rows and columns",
    }
    rows = pl.DataFrame(list(more.items()), schema=MISCONCEPTIONS.schema, orient="row")
    entries = pl.concat([misconceptions, rows])
    vectors = np.eye(len(entries), dtype=np.float32)
    vectors[-1] = 0.96 * vectors[11] + 0.28 * vectors[-1]  # 62 is near 50 in meaning alone
    found = find_duplicates(entries, vectors)
    assert found.select("kind", "entry", "other").rows() == [
        (SAME, 10, 60),
        (SAME, 12, 42),
        (NEAR_WORDS, 31, 61),
        (NEAR_VECTORS, 50, 62),
    ]
    assert groups_of(pl.DataFrame({"entry": [1, 2, 7], "other": [2, 3, 8]})) == {1: 1, 2: 1, 3: 1, 7: 7, 8: 7}


def scores(**rows):
    """A draw's table of {row: {entry: score}}."""
    flat = [(query_id, int(id_[1:]), score) for query_id, own in rows.items() for id_, score in own.items()]
    return pl.DataFrame(flat, schema=["query_id", "misconception_id", "score"], orient="row")


LABELS = pl.DataFrame([("a", 1), ("b", 2), ("c", 3)], schema=["query_id", "misconception_id"], orient="row")


def test_labels_come_in_the_order_of_their_rank_then_of_how_far_they_are_behind():
    draws = [
        scores(a={"_1": 0.0, "_9": 2.0}, b={"_2": 1.0, "_8": 9.0, "_7": -4.0}),
        scores(a={"_1": 1.0, "_9": 2.0}, c={"_3": 5.0, "_9": 1.0}),
    ]
    # a: 9 is first in both draws, 2 and 1 logits before the label; b: in its only draw, 8 logits; c is as labelled.
    # Both labels are second.
    assert find_suspects(draws, LABELS, {}).rows() == [("b", 2, 8, 1, 1, 2.0, 8.0), ("a", 1, 9, 2, 2, 2.0, 1.5)]


def test_a_label_is_not_suspect_where_its_double_is_first_and_one_that_is_absent_counts_as_last():
    draws = [scores(a={"_9": 2.0, "_4": 0.5}, b={"_8": 3.0, "_7": 1.0})]
    assert find_suspects(draws, LABELS, {1: 1, 9: 1}).rows() == [("b", 2, 8, 1, 1, 3.0, 2.0)]


def test_entries_are_confused_whichever_of_them_is_the_label():
    draws = [scores(a={"_1": 0.0, "_2": 2.0}, b={"_2": 1.0, "_1": 9.0}, c={"_3": 1.0}), scores(c={"_1": 3.0})]
    assert find_confused(draws, LABELS, {}).rows() == [(1, 2, 2, 2)]  # 1 and 3 are confused once, which may be chance


@pytest.fixture
def runs(place):
    """Two draws of demo1, whose made-up scores mostly find the right entry."""
    for split in ("cv", "cv2"):
        finish_run(place / "competition", split=split, better=3.0)
    return place / "runs" / "demo1"


def test_lists_are_written_decisions_measured_and_the_page_shows_both(runs, capsys):
    assert main(["audit-labels", "iter=demo1", "--words-only"]) == 0
    folder = runs / "label_audit"
    labels = pl.read_csv(folder / "labels.csv", infer_schema=False)
    assert {"query_id", "label_text", "suggestion_text", "row", "decision"} <= set(labels.columns) and len(labels) > 0
    page = write_page(runs / "cv").read_text(encoding="utf-8")
    assert "Labels that may be wrong" in page and "Nobody has looked" not in page
    decided = labels.with_columns(decision=pl.Series(["change", "keep", *[""] * (len(labels) - 2)]))
    decided.write_csv(folder / "labels.csv")
    capsys.readouterr()
    assert main(["audit-labels", "iter=demo1", f"decided={folder}"]) == 0
    assert "holds 1 corrected label\n" in capsys.readouterr().out
    assert (folder / "corrections.csv").read_text(encoding="utf-8").splitlines()[
        1
    ] == f"{labels['query_id'][0]},{labels['suggestion'][0]}"
    changed = read_decisions(folder / "labels.csv", folder / "duplicates.csv", "decision")
    first = labels.row(0, named=True)
    assert changed.labels == {(first["query_id"], int(first["label"])): int(first["suggestion"])} and changed.same == {}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("query_id,label,suggestion,decision\n1_A,2,3,perhaps\n", "record 2: 'perhaps' is none of change, keep"),
        ("query_id,label,suggestion\n1_A,2,3\n", "has no column decision"),
        (None, "does not exist"),
    ],
)
def test_a_decision_that_cannot_be_is_one_sentence(tmp_path, content, sentence):
    if content:
        (tmp_path / "labels.csv").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=sentence):
        read_decisions(tmp_path / "labels.csv", tmp_path / "duplicates.csv", "decision")


def test_a_right_answer_that_became_another_of_its_query_counts_once():
    schema = {"query_id": pl.String, "right": pl.List(pl.Int64), "grades": pl.List(pl.Int64)}
    queries = pl.DataFrame([("q1", [3, 4, 5], [1, 2, 1]), ("q2", [], [])], schema=schema, orient="row")
    joined = _join_same(queries, Decisions({}, {4: 3}))
    assert joined["right"].to_list() == [[3, 5], []] and joined["grades"].to_list() == [[2, 1], []]
