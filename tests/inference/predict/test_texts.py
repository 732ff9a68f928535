"""Guards what predict makes of written texts: the models that read them do, and nobody else's answer changes."""

import shutil
from dataclasses import replace

import polars as pl
import pytest

from inference.__main__ import main
from shared.artifacts.card import read_embedder_card, read_reranker_card, write_card
from shared.task.eedi import SUBMISSION, read_competition
from shared.task.tables import DESCRIPTIONS


@pytest.fixture(scope="module")
def readers(models, competition, tmp_path_factory):
    """The usual two as models that read short rationales, and e1 also descriptions, which travel with it."""
    place = tmp_path_factory.mktemp("readers")
    for name, read in (("e1", read_embedder_card), ("r1", read_reranker_card)):
        folder = shutil.copytree(models / name, place / name)
        card, described = read(folder), 20 * (name == "e1")
        prompt = replace(card.prompt, rationale="short", rationale_tokens=30, description_tokens=described)
        write_card(replace(card, prompt=prompt), folder)
    names = read_competition(competition).misconceptions
    table = names.select("misconception_id", description=pl.col("text").str.to_uppercase())
    DESCRIPTIONS.write(table, place / "e1")
    return place


@pytest.fixture(scope="module")
def explained(competition, tmp_path_factory):
    """The competition with a rationale for the first question's rows, and for one that nobody asks for."""
    folder = shutil.copytree(competition, tmp_path_factory.mktemp("explained") / "competition")
    first = read_competition(folder, need_train=False).test["query_id"][:3].to_list()
    rows = [(key, f"The thinking behind number {place}.", "") for place, key in enumerate([*first, "9999_A"])]
    schema = ["QuestionId_Answer", "Rationale", "Reasoning"]
    pl.DataFrame(rows, schema=schema, orient="row").write_csv(folder / "rationales.csv")
    return folder


@pytest.fixture
def predict(tmp_path, capsys):
    """Run the command line: {row: ids}, and what was printed."""

    def run(competition, models):
        arguments = ["predict", "--profile", "cpu", "--engine", "hf", "--competition", str(competition)]
        arguments += ["--embedder", str(models / "e1"), "--reranker", str(models / "r1")]
        assert main([*arguments, "--out", str(tmp_path / "submission.csv")]) == 0
        rows = pl.read_csv(tmp_path / "submission.csv", columns=list(SUBMISSION.columns))
        return dict(rows.iter_rows()), capsys.readouterr().out

    return run


def test_only_the_rows_that_have_a_text_change_and_the_others_are_counted(predict, explained, competition, readers):
    without, _ = predict(competition, readers)
    told, said = predict(explained, readers)
    changed = {id_ for id_ in told if told[id_] != without[id_]}
    assert changed == set(list(told)[:3])
    assert "rationales.csv has no text for 9 of 12 rows; they do without" in said


def test_models_that_read_no_texts_answer_as_if_there_were_none(predict, explained, competition, models):
    assert predict(explained, models)[0] == predict(competition, models)[0]


def test_a_description_is_read_by_the_model_that_it_came_with(predict, competition, readers, tmp_path):
    bare = shutil.copytree(readers, tmp_path / "bare")
    DESCRIPTIONS.path(bare / "e1").unlink()
    assert predict(competition, bare)[0] != predict(competition, readers)[0]


def test_however_many_chunks_there_are_the_file_is_one(predict, explained, readers, monkeypatch):
    whole, _ = predict(explained, readers)
    monkeypatch.setattr("inference.predict.predict.QUESTIONS", 1)  # the last three chunks have no text at all
    rows, said = predict(explained, readers)
    assert rows == whole and said.count("has no text for 9 of 12 rows") == 1
