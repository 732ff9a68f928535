"""Guards guess.py: what is written for files of another's making is a definition that reads them."""

import json

import pytest

from shared.task.files import definition, guess
from shared.task.files.guess import write_definition
from shared.task.files.task import task_of


@pytest.fixture(autouse=True)
def definitions(tmp_path, monkeypatch):
    place = tmp_path / "definitions"
    place.mkdir()
    for module in (definition, guess):
        monkeypatch.setattr(module, "DEFINITIONS", place)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def made(folder):
    path, said = write_definition("mine", folder)
    found = definition.read_definition(path)
    return found, task_of("mine", found).read(folder), said


def test_a_german_table_with_several_labels_is_understood(folder):
    rows = ["V-1;K1;Das Gerät geht nicht;HW|GA", "V-2;K1;Wo bleibt die Rechnung?;RE", "V-3;K2;Noch Garantie?;GA"]
    (folder / "train.csv").write_text("\n".join(["Vorgang;Kunde;Schreiben;Themen", *rows, ""]), encoding="utf-8")
    (folder / "test.csv").write_text("Vorgang;Kunde;Schreiben\nV-9;K3;Und nun, bitte?\n", encoding="utf-8")
    names = ["Kürzel;Bezeichnung", "HW;Gerät", "RE;Rechnung", "GA;Garantie", ""]
    (folder / "themen.csv").write_text("\n".join(names), encoding="utf-8")
    found, data, said = made(folder)
    assert data.train["right"].list.len().to_list() == [2, 1, 1] and data.train["question_id"].n_unique() == 2
    assert data.train["text"].to_list()[0] == "Das Gerät geht nicht" and data.test["query_id"].to_list() == ["V-9"]
    assert (found.catalogue.file, found.catalogue.id, found.labels.separator) == ("themen.csv", "Kürzel", "|")
    assert "the right answers are in column Themen, several parted by '|'" in said


def test_the_file_to_predict_is_the_one_without_labels_whatever_it_is_called_and_wherever_excel_saved_it(folder):
    rows = ["V-1;Kö;Gerät; Frage;HW", "V-2;Kö;Rechnung? ja;RE", "V-3;Li;Garantie;HW | RE"]
    rows = [row.replace("Gerät; Frage", '"Gerät; ""Frage"""') for row in rows]
    texts = {
        "anfragen.csv": ["Vorgang;Kundin;Nachricht;Schlagworte", *rows],
        "neue.csv": ["Vorgang;Kundin;Nachricht", "V-9;Öz;Und nun?"],
        "themen.csv": ["Kürzel;Name", "HW;Gerät", "RE;Rechnung"],
    }
    for name, lines in texts.items():
        (folder / name).write_text("\r\n".join([*lines, ""]), encoding="utf-8-sig", newline="")
    found, data, said = made(folder)
    assert data.test["text"].to_list() == ["Und nun?"] and "those to predict are in neue.csv" in said
    assert data.train["text"][0] == 'Gerät; "Frage"' and data.train["right"].list.len().to_list() == [1, 1, 2]
    assert (found.queries.group, found.labels.separator) == ("Kundin", "|")


def test_a_file_that_is_called_test_is_the_one_to_predict_whatever_numbers_the_training_has(folder):
    train = [f"{n},text {n},{n % 5 + 1},{'good' if n % 2 else 'bad'}" for n in range(6)]
    (folder / "train.csv").write_text("\n".join(["id,text,stars,label", *train, ""]), encoding="utf-8")
    (folder / "test.csv").write_text(
        "\n".join(["id,text", *(f"{n},more {n}" for n in range(1, 31)), ""]), encoding="utf-8"
    )
    found, data, _ = made(folder)  # every number of stars is an id of a row to predict
    assert len(data.test) == 30 and found.catalogue.file == "" and found.labels.item in ("label", "{label}")


def test_a_collection_with_judgements_is_understood(folder):
    docs = [{"_id": f"d{n}", "title": f"title {n}", "text": f"about {n}"} for n in range(4)]
    asked = [{"_id": f"q{n}", "text": f"what is {n}?"} for n in range(3)]
    for name, rows in (("corpus", docs), ("queries", asked)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "judged.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td1\t2\nq1\td2\t1\n", encoding="utf-8")
    found, data, _ = made(folder)
    assert (found.labels.file, found.labels.grade, found.metric.name) == ("judged.tsv", "score", "ndcg")
    assert data.train["grades"].to_list() == [[2], [1], []] and len(data.misconceptions) == 4


def test_labels_without_a_catalogue_are_the_catalogue(folder):
    rows = [f"{n},Some text of number {n},{'good' if n % 2 else 'bad'}" for n in range(6)]
    (folder / "reviews.csv").write_text("\n".join(["id,review,label", *rows, ""]), encoding="utf-8")
    found, data, _ = made(folder)
    assert data.misconceptions["item"].to_list() == ["bad", "good"] and found.catalogue.file == ""


def test_what_cannot_be_guessed_is_said_and_nothing_is_written(folder):
    with pytest.raises(ValueError, match=r"has no file that ends in \.csv"):
        write_definition("mine", folder)
    (folder / "a.csv").write_text("id,text\n1,a\n2,b\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.csv has no column that could be the label"):
        write_definition("mine", folder)
    with pytest.raises(ValueError, match="'Mine' is no name of a task"):
        write_definition("Mine", folder)
    assert not list(definition.DEFINITIONS.iterdir())
