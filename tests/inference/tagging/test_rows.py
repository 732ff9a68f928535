"""Guards the reading of rows to tag: every defect is one sentence with its place."""

import json

import pytest

from inference.tagging.rows import as_queries, check_row, read_rows
from shared.task.tables import QUERIES

FIELDS = {"subject": "Fractions", "construct": "Add", "question": "1/2 + 1/3 = ?", "correct": "5/6", "wrong": "2/5"}


def test_rows_become_queries_of_no_question():
    rows = [check_row({**FIELDS, "id": "a"}, "row 1"), check_row(FIELDS, "row 2")]
    queries = as_queries(rows)
    assert dict(queries.schema) == QUERIES.schema and queries["query_id"].to_list() == ["0", "1"]
    assert queries["question_id"].to_list() == [-1, -1] and queries["fold"].to_list() == ["test", "test"]
    assert queries["wrong"].to_list() == ["2/5", "2/5"] and queries["misconception_id"].null_count() == 2


@pytest.mark.parametrize("ids", [True, False])
def test_both_forms_of_file_are_read(tmp_path, ids):
    row = {"id": "7", **FIELDS} if ids else FIELDS
    (tmp_path / "rows.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    one, other = (list(read_rows(tmp_path / name)) for name in ("rows.csv", "rows.jsonl"))
    assert one == other and [row.id for row in one] == ["7" if ids else ""]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("no json", "line 1 is no JSON"),
        (json.dumps({**FIELDS, "wrong": 5}), "line 1, field wrong: Input should be a valid string"),
        (json.dumps({**FIELDS, "extra": "x"}), "line 1, field extra: .*the fields are id, subject"),
        (json.dumps({"subject": "x"}), "line 1, field construct: Field required"),
        (json.dumps({**FIELDS, "wrong": " \u200b"}), "line 1, field wrong: the text is empty"),
        (json.dumps({**FIELDS, "wrong": "x" * 20_001}), "line 1, field wrong: String should have at most 20000"),
        ("[1]", "line 1: Input should be"),
        ("", "is empty"),
    ],
)
def test_a_defect_is_one_sentence_with_its_place(tmp_path, line, sentence):
    (tmp_path / "rows.jsonl").write_text(line and line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=sentence):
        list(read_rows(tmp_path / "rows.jsonl"))


@pytest.mark.parametrize(
    ("name", "sentence"), [("rows.txt", "end in .csv or .jsonl"), ("none.jsonl", "does not exist")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, sentence):
    with pytest.raises(ValueError, match=f"{name}.*{sentence}"):
        list(read_rows(tmp_path / name))
