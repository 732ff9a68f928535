"""Guards submission.py: a file that is written is valid, one that is not valid is refused with a reason."""

import polars as pl
import pytest

from shared.task.submission import check_submission, read_labels, read_submission, score_submission, submission_rows
from shared.task.tables import CANDIDATES
from shared.task.task import SubmissionForm
from tests.inference.conftest import publish

KNOWN = set(range(100))
HEAD = "QuestionId_Answer,MisconceptionId\n"


@pytest.fixture
def asked(queries):
    return queries.filter(pl.col("query_id").is_in(["6_A", "6_B", "7_A"])).with_columns(fold=pl.lit("test"))


def ranking(query_ids, count=30):
    """`count` candidates of each query: its place in the alphabet, then the next ids."""
    rows = [
        (query_id, start + place, place + 1, 1.0) for start, query_id in enumerate(query_ids) for place in range(count)
    ]
    return pl.DataFrame(rows, schema=CANDIDATES.schema, orient="row")


def test_the_first_25_are_written_in_the_order_of_test_csv_and_read_back(asked, tmp_path):
    ranked = ranking(["6_A", "6_B", "7_A"]).sample(fraction=1, shuffle=True, seed=2)
    publish(ranked, asked.reverse(), tmp_path / "submission.csv")
    lines = (tmp_path / "submission.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "QuestionId_Answer,MisconceptionId"
    assert [line.split(",")[0] for line in lines[1:]] == ["7_A", "6_B", "6_A"]
    assert lines[3] == "6_A," + " ".join(map(str, range(25)))
    read = read_submission(tmp_path / "submission.csv", asked, KNOWN)
    expected = ranked.filter(pl.col("rank") <= 25).select("query_id", "misconception_id", "rank")
    assert read.sort("query_id", "rank").equals(expected.sort("query_id", "rank"))
    assert [path.name for path in tmp_path.iterdir()] == ["submission.csv"]


def test_another_form_is_another_header_and_another_depth(asked, tmp_path):
    form, path = SubmissionForm("answers.csv", ("row", "ids"), depth=2), tmp_path / "answers.csv"
    submission_rows(ranking(["6_A", "6_B", "7_A"]), asked["query_id"], form).write_csv(path)
    assert path.read_text(encoding="utf-8") == "row,ids\n6_A,0 1\n6_B,1 2\n7_A,2 3\n"
    assert check_submission(path, asked["query_id"], KNOWN, form) == 3
    assert read_submission(path, asked, KNOWN, form)["rank"].to_list() == [1, 2] * 3
    with pytest.raises(ValueError, match="has columns"):
        read_submission(path, asked, KNOWN)
    path.write_text("row,ids\n6_A,0 1 2\n6_B,1 2\n7_A,2 3\n", encoding="utf-8")
    with pytest.raises(ValueError, match="row 6_A: '0 1 2' is not 1 to 2 different"):
        read_submission(path, asked, KNOWN, form)


def test_a_query_without_candidates_is_refused_and_the_old_file_stays(asked, tmp_path):
    path = tmp_path / "submission.csv"
    publish(ranking(["6_A", "6_B", "7_A"]), asked, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="query 7_A has no candidate"):
        publish(ranking(["6_A", "6_B"]), asked, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["submission.csv"]


INVALID = {
    "another header": ("QuestionId,MisconceptionId\n6_A,1\n6_B,2\n7_A,3\n", "has columns"),
    "a third column": ("QuestionId_Answer,MisconceptionId,x\n6_A,1,1\n6_B,2,1\n7_A,3,1\n", "has columns"),
    "a query is missing": (HEAD + "6_A,1\n6_B,2\n", "has 2 rows for 3 wrong options .*7_A"),
    "a query is unknown": (HEAD + "6_A,1\n6_B,2\n7_A,3\n8_A,4\n", "has 4 rows for 3 .*8_A"),
    "a query stands there twice": (HEAD + "6_A,1\n6_B,2\n7_A,3\n7_A,4\n", "one twice"),
    "no id": (HEAD + "6_A,\n6_B,2\n7_A,3\n", "row 6_A: '' is not 1 to 25 different known"),
    "26 ids": (HEAD + f"6_A,{' '.join(map(str, range(26)))}\n6_B,2\n7_A,3\n", "row 6_A: .* is not 1 to 25"),
    "an id twice": (HEAD + "6_A,1\n6_B,2 3 2\n7_A,3\n", "row 6_B: '2 3 2'"),
    "an unknown id": (HEAD + "6_A,1\n6_B,2\n7_A,3 100\n", "row 7_A: '3 100'"),
    "no whole number": (HEAD + "6_A,1.0\n6_B,2\n7_A,3\n", "row 6_A: '1.0'"),
    "a negative number": (HEAD + "6_A,-1\n6_B,2\n7_A,3\n", "row 6_A: '-1'"),
    "a digit of another script": (HEAD + "6_A,\u0663\n6_B,2\n7_A,3\n", "row 6_A"),
    "more digits than a number has": (HEAD + f"6_A,{'9' * 5000}\n6_B,2\n7_A,3\n", "row 6_A: '999"),
    "a quote that nobody closes": (
        HEAD + '6_A,"1\n6_B,2\n7_A,3\n',
        "line 4, is no CSV .*: unexpected end",
    ),
    "a field without an end": (HEAD + f"6_A,{'1 ' * 80_000}\n6_B,2\n7_A,3\n", "line 2, is no CSV .*: field larger"),
    "a NUL": (HEAD + "6_A,1\n6_B,2\0\n7_A,3\n", "row 6_B"),
    "ids separated by commas": (HEAD + '6_A,"1,2"\n6_B,2\n7_A,3\n', "row 6_A: '1,2'"),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_file_is_refused_with_a_sentence(asked, name, tmp_path):
    text, words = INVALID[name]
    (tmp_path / "submission.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        read_submission(tmp_path / "submission.csv", asked, KNOWN)


@pytest.mark.parametrize("name", INVALID)
def test_what_predict_has_written_is_checked_as_strictly(asked, name, tmp_path):
    text, _ = INVALID[name]
    (tmp_path / "submission.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="submission.csv"):
        check_submission(tmp_path / "submission.csv", asked["query_id"], KNOWN)


def test_other_bytes_and_a_folder_are_refused_by_name(asked, tmp_path):
    (tmp_path / "latin.csv").write_bytes(HEAD.encode() + b"6_A,\xe9\n")
    with pytest.raises(ValueError, match=r"latin.csv, line 0, is no CSV of a submission: 'utf-8'"):
        read_labels(tmp_path / "latin.csv", asked)
    with pytest.raises(ValueError, match="is no file"):
        read_labels(tmp_path, asked)


@pytest.mark.parametrize(
    "text", ["", HEAD, HEAD + "6_A,1,2\n6_B,2\n7_A,3\n", None], ids=["empty", "no rows", "ragged", "absent"]
)
def test_a_file_that_is_no_table_is_refused_with_a_sentence_too(asked, text, tmp_path):
    if text is not None:
        (tmp_path / "submission.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="submission.csv"):
        read_submission(tmp_path / "submission.csv", asked, KNOWN)


@pytest.mark.parametrize(
    ("rows", "words"), [("6_A,1\n6_A,1\n", "row 6_A twice"), ("9_A,1\n", "labels no row"), ("", "labels no row")]
)
def test_labels_that_would_give_a_wrong_figure_are_refused(asked, rows, words, tmp_path):
    (tmp_path / "labels.csv").write_text(HEAD + rows, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        read_labels(tmp_path / "labels.csv", asked)


def test_a_submission_is_scored_by_hand(asked, tmp_path):
    (tmp_path / "submission.csv").write_text(HEAD + "6_A,1 2 3\n6_B,40\n7_A,5 6 7 41\n", encoding="utf-8")
    (tmp_path / "labels.csv").write_text(HEAD + "6_A,30\n6_B,40\n7_A,41\n9_A,1\n", encoding="utf-8")
    labelled = read_labels(tmp_path / "labels.csv", asked)
    assert labelled["misconception_id"].to_list() == [30, 40, 41]
    # 30 is absent, 40 first, 41 fourth: (0 + 1 + 1/4) / 3
    assert score_submission(read_submission(tmp_path / "submission.csv", asked, KNOWN), labelled) == pytest.approx(
        1.25 / 3
    )
