"""Guards replay.py: texts that were written earlier become a table, cleaned, and whoever has none does without."""

from pathlib import Path

import polars as pl
import pytest

from inference.writing.replay import replay
from shared.task.tables import TEXTS

RATIONALES = """QuestionId_Answer,Rationale,Reasoning
1_A,The student adds.,First they add. Then they stop.
1_B,They forget the brackets]###,
9_C,Nobody asks for this.,No.
"""
FOLDS = {"1_A": "train", "1_B": "valid", "2_A": "test"}


def _file(folder: Path, text: str) -> Path:
    path = folder / "rationales.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_gets_a_row_of_every_kind_cleaned_and_the_empty_text_where_the_file_has_none(tmp_path, capsys):
    texts = replay(_file(tmp_path, RATIONALES), ("short", "cot"), FOLDS)
    TEXTS.check(texts, "here")
    assert texts.select("kind", "key", "clean", "fold").rows() == [
        ("short", "1_A", "The student adds.", "train"),
        ("short", "1_B", "They forget the brackets", "valid"),
        ("short", "2_A", "", "test"),
        ("cot", "1_A", "First they add. Then they stop.", "train"),
        ("cot", "1_B", "", "valid"),
        ("cot", "2_A", "", "test"),
    ]
    assert set(texts["finish_reason"]) == {"replayed"} and not texts["saw_label"].any()
    assert "1 of 3 have no text, 2_A first" in capsys.readouterr().out


def test_descriptions_are_read_by_the_misconceptions_id(tmp_path):
    path = _file(tmp_path, "MisconceptionId,Explanation\n7,Explanation: It comes from counting.\n")
    assert replay(path, ["description"], {"7": ""})["clean"].to_list() == ["It comes from counting."]


def test_the_column_writer_says_who_wrote_a_row_and_without_it_that_is_the_file(tmp_path):
    told = "QuestionId_Answer,Rationale,Reasoning,Writer\n1_A,x.,y.,a model\n1_B,x.,y.,\n"
    texts = replay(_file(tmp_path, told), ("short",), {"1_A": "train", "1_B": "train", "2_A": "train"})
    assert texts["model"].to_list() == ["a model", "rationales.csv", "rationales.csv"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "rationales.csv does not exist"),
        ("QuestionId_Answer,Rationale\n1_A,x\n", "column Reasoning is missing"),
        (RATIONALES + "1_A,again,\n", "record from line 5, column QuestionId_Answer: '1_A' is also on line 2"),
        (
            "QuestionId_Answer,Rationale,Reasoning\n8_D,x,y\n",
            "has no row for any key that is asked for, such as 1_A",
        ),
    ],
)
def test_a_file_that_is_not_of_this_form_is_refused_in_a_sentence(text, sentence, tmp_path):
    path = tmp_path / "rationales.csv" if text is None else _file(tmp_path, text)
    with pytest.raises(ValueError, match=sentence):
        replay(path, ("short", "cot"), FOLDS)


def test_texts_stand_beside_their_rows_and_null_where_there_is_none(tmp_path, queries):
    from shared.task.texts import with_rationales

    rows = with_rationales(queries, replay(_file(tmp_path, RATIONALES), ("short",), dict.fromkeys(FOLDS, "train")))
    assert "cot" not in rows.columns and rows["query_id"].equals(queries["query_id"])
    assert dict(rows.filter(pl.col("short").is_not_null()).select("query_id", "short").iter_rows()) == {
        "1_A": "The student adds.",
        "1_B": "They forget the brackets",
    }
