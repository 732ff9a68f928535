"""Guards qrels.py: judgements come in as other tools write them, and a run goes out as they read it."""

import polars as pl
import pytest

from shared.task.files.qrels import is_qrels, read_qrels, write_run

QUERIES = pl.DataFrame({"query_id": ["q1", "q2"], "question_id": [1, 2]})
KNOWN = {"d1": 11, "d2": 12}


@pytest.mark.parametrize(
    "text", ["query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq9\td7\t1\n", "q1 0 d1 2\nq1 0 d2 0\n\nq9 0 d7 1\n"]
)
def test_beirs_and_trecs_judgements_say_the_same(tmp_path, text):
    (tmp_path / "a.qrels").write_text(text, encoding="utf-8")
    assert read_qrels(tmp_path / "a.qrels", QUERIES, KNOWN).rows() == [("q1", 1, 11, 2)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("q1 0 d1\n q1\n", "line 1: '"),
        ("q1 d1 2 3 4\n", "line 1: 5 fields; write query, item and grade"),
        ("q1 0 d9 1\n", "line 1: 'd9' is not in the catalogue"),
        ("q1 0 d1 1\nq1 0 d1 2\n", "line 2: 'd1' is judged twice for 'q1'"),
        ("q1 0 d1 x\n", "line 1: 'x' is no grade"),
        ("q7 0 d1 1\n", "no right answer to any of the queries"),
    ],
)
def test_a_wrong_line_is_one_sentence(tmp_path, text, sentence):
    (tmp_path / "a.qrels").write_text(text, encoding="utf-8")
    if sentence == "line 1: '":  # of three fields the last is the grade
        sentence = "line 1: 'd1' is no grade"
    with pytest.raises(ValueError, match=sentence):
        read_qrels(tmp_path / "a.qrels", QUERIES, KNOWN)


def test_a_run_has_scores_that_fall_from_line_to_line(tmp_path):
    ranked = pl.DataFrame({"query_id": ["q2", "q1", "q1"], "misconception_id": [11, 12, 11], "rank": [1, 2, 1]})
    assert write_run(ranked, {11: "d1", 12: "d2"}, "mine", tmp_path / "run") == 3
    lines = (tmp_path / "run").read_text(encoding="utf-8").splitlines()
    assert lines == ["q1 Q0 d1 1 -1 mine", "q1 Q0 d2 2 -2 mine", "q2 Q0 d1 1 -1 mine"]
    with pytest.raises(ValueError, match="'d 1' has white space"):
        write_run(ranked, {11: "d 1", 12: "d2"}, "mine", tmp_path / "run")


def test_the_name_says_what_is_a_file_of_judgements():
    from pathlib import Path

    assert is_qrels(Path("qrels/test.tsv")) and is_qrels(Path("a.qrels")) and not is_qrels(Path("labels.csv"))
