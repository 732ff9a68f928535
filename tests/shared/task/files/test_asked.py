"""Guards asked.py: rows to tag become queries as the definition says, and a row that shows nothing is one sentence."""

import pytest

from inference.tagging.rows import as_queries, check_row, fields_of, read_rows
from shared.task.current import about
from shared.task.files.definition import Definition
from shared.task.files.task import task_of

MAP = {"QuestionText": "2 + 2?", "MC_Answer": "5", "StudentExplanation": "I added one"}
QUIZ = {"SubjectName": "S", "ConstructName": "C", "QuestionText": "Q?", "CorrectAnswer": "B", "option": "C"} | {
    f"Answer{option}Text": f"a{option}" for option in "ABCD"
}


def test_a_row_has_the_columns_of_the_querys_text_and_empty_ones_leave_their_line_out():
    with about("map") as task:
        assert task.row_form.fields == ("QuestionText", "MC_Answer", "StudentExplanation")
        rows = [check_row({**MAP, "id": "r"}, "row 1"), check_row({**MAP, "MC_Answer": ""}, "row 2")]
        queries = as_queries(rows)
        assert queries["text"].to_list() == [
            "Question: 2 + 2?\nAnswer: 5\nExplanation: I added one",
            "Question: 2 + 2?\nExplanation: I added one",
        ]
        assert dict(queries.schema) == task.tables.queries.schema and rows[0].id == "r"
        with pytest.raises(ValueError, match="row 3, field QuestionText, MC_Answer, .*: the text is empty"):
            check_row(dict.fromkeys(MAP, " "), "row 3")
        with pytest.raises(ValueError, match="row 4, field MC_Answer: Field required"):
            check_row({"QuestionText": "x"}, "row 4")


def test_a_row_of_several_options_says_which_one_is_meant():
    with about("choices"):
        text = as_queries([check_row(QUIZ, "row 1")])["text"][0]
        assert text.endswith("Question: Q?\nCorrect answer: aB\nWrong answer: aC")
        for changes, sentence in (({"option": "B"}, "of A, C, D"), ({"CorrectAnswer": "E"}, "of A, B, C, D")):
            with pytest.raises(ValueError, match=sentence):
                check_row({**QUIZ, **changes}, "row 1")


def test_a_file_of_several_options_is_a_query_for_each_that_is_not_right(tmp_path):
    names = [name for name in QUIZ if name != "option"]
    lines = [";".join(["QuestionId", *names]), ";".join(["17", *(QUIZ[name] for name in names)])]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    with about("choices"):
        rows = list(read_rows(tmp_path / "rows.csv"))
        assert [row.id for row in rows] == ["17_A", "17_C", "17_D"]
        assert [fields_of(row)["option"] for row in rows] == ["A", "C", "D"]


@pytest.mark.parametrize("end", [".CSV", ".Tsv", ".ndjson", ".JSONL"])
def test_a_files_end_may_be_written_in_any_letters(tmp_path, end):
    path, mark = tmp_path / f"rows{end}", "," if end == ".CSV" else "\t"
    text = '{"_id": "q1", "text": "what?"}\n' if "j" in end.lower() else f"_id{mark}text\nq1{mark}what?\n"
    path.write_text(text, encoding="utf-8")
    with about("beir"):
        assert [row.id for row in read_rows(path)] == ["q1"]


def test_a_query_for_each_option_of_a_row_has_an_id_of_its_own(tmp_path):
    names = [name for name in QUIZ if name != "option"]
    lines = [";".join(["id", *names]), ";".join(["x7", *(QUIZ[name] for name in names)])]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with about("choices"):
        assert [row.id for row in read_rows(tmp_path / "rows.csv")] == ["x7_A", "x7_C", "x7_D"]


@pytest.mark.parametrize("head", ["_id", "id", "none"])
def test_a_row_is_called_as_the_tasks_files_do_or_by_a_column_id(tmp_path, head):
    (tmp_path / "rows.tsv").write_text(f"{head}\ttext\tmore\nq1\twhat?\tx\n", encoding="utf-8")
    with about("beir"):
        rows = list(read_rows(tmp_path / "rows.tsv"))
    assert [row.id for row in rows] == ["" if head == "none" else "q1"]


def test_a_column_may_be_called_as_anything(monkeypatch):
    said = {
        "queries": {"train": "t.csv", "id": "id", "text": "{schema} {_x} {Frage Text}"},
        "labels": {"form": "column", "item": "l"},
        "metric": {"name": "map", "k": 3},
        "submission": {"columns": ["id", "l"], "k": 3},
    }
    monkeypatch.setattr("shared.task.current._current", task_of("odd", Definition.model_validate(said)))
    row = check_row({"schema": "a", "_x": "b", "Frage Text": "ü", "id": "7"}, "row 1")
    assert as_queries([row])["text"].to_list() == ["a b ü"] and row.id == "7"
