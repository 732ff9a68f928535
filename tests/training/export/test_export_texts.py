"""Guards export_texts.py: what a writer saw of the labels is not lost on the way through a file."""

import csv
from pathlib import Path

import polars as pl
import pytest

from inference.writing.replay import replay
from shared.artifacts.manifest import write_manifest
from shared.task.tables import TEXTS
from training.cli import main
from training.run_folder.seen_by_writers import seen_in_file

FOLDS = {"1_A": "train", "1_B": "valid"}
COMMAND = ["export-texts", "iter=demo0", "to=out"]


def text(key: str, model: str = "m", *, finish: str = "stop", saw_label: bool = False, shots: str = "") -> tuple:
    return ("short", key, "t", "They add.", 0, finish, "", model, "", "", "", 0, saw_label, shots, "train", 0.0)


def make(rows: list[tuple], split: str = "cv", stage: str = "explain") -> None:
    keep(pl.DataFrame(rows, schema=TEXTS.schema, orient="row"), split, stage)


def keep(texts: pl.DataFrame, split: str, stage: str = "explain") -> None:
    folder = Path("runs/demo0", split, stage)
    TEXTS.write(texts, folder)
    write_manifest(folder, {})


def writers() -> list[str]:
    with Path("out/rationales.csv").open(encoding="utf-8", newline="") as file:
        return [row["Writer"] for row in csv.DictReader(file)]


SEEN = [  # the second of two rows, and what its writer saw
    (text("1_B", saw_label=True), "m (saw labels of split cv)"),
    (text("1_B", shots="5_A 7_D"), "m (saw solved examples of split cv)"),
    (text("1_B", "m/part_1"), "m/part_1 (saw a teacher's lessons of split cv)"),
    (text("1_B", "m/whole"), "m/whole (saw a teacher's lessons of split cv)"),
    (text("1_B", saw_label=True, shots="5_A"), "m (saw labels and solved examples of split cv)"),
    (text("1_B", "m (saw labels of split cv4)", finish="replayed"), "m (saw labels of split cv4)"),
    # of a file that was written before files said it: by whose split's student nobody knows any more
    (text("1_B", "m/part_1", finish="replayed"), "m/part_1 (saw a teacher's lessons)"),
]


@pytest.mark.parametrize(("row", "writer"), SEEN, ids=[writer for _, writer in SEEN])
def test_texts_whose_writer_saw_labels_are_exported_only_anyway_and_their_file_says_so(place, capsys, row, writer):
    make([text("1_A"), row])
    make([("description", "7", *text("")[2:])], stage="describe")
    assert main(COMMAND) == 2
    said, saw = capsys.readouterr().err, writer.partition("(saw ")[2].rstrip(")")
    assert said.startswith(f"error: runs/demo0/cv/explain: the writers of 1 of 2 texts saw {saw}, and ")
    assert said.count("\n") == 1 and "say --anyway" in said and not Path("out").exists()
    assert main([*COMMAND, "--anyway"]) == 0
    assert writers() == ["m", writer]
    replayed = replay(Path("out/rationales.csv"), ["short"], FOLDS)
    assert replayed["model"].to_list() == ["m", writer] and seen_in_file(replayed) == {saw: 1}
    keep(replayed, "cv2")  # and so on through a second file, from another split
    before = Path("out/rationales.csv").read_bytes()
    assert main([*COMMAND, "split=cv2"]) == 2
    assert main([*COMMAND, "split=cv2", "--anyway"]) == 0 and Path("out/rationales.csv").read_bytes() == before


def test_the_one_writer_of_a_row_of_the_file_saw_what_any_of_its_texts_saw(place):
    make([text("1_A"), ("cot", *text("1_A", saw_label=True)[1:]), text("1_B")])
    assert main(COMMAND) == 2 and main([*COMMAND, "--anyway"]) == 0
    assert writers() == ["m (saw labels of split cv)", "m"]


def test_texts_of_writers_that_saw_nothing_go_out_as_they_are_with_or_without_the_word(place):
    make([text("1_A"), text("1_B", "whole"), text("2_A", "me (saw the film)", finish="replayed")])
    for words in ([], ["--anyway"]):
        assert main([*COMMAND, *words]) == 0
        assert Path("out/rationales.csv").read_bytes() == (
            b"QuestionId_Answer,Rationale,Reasoning,Writer\n1_A,They add.,,m\n1_B,They add.,,whole\n"
            b"2_A,They add.,,me (saw the film)\n"
        )
