"""Guards the commands: a file of rows becomes a file of tags, whole or not at all, and wrong words are one sentence."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from inference.fusion.confidence import write_confidence
from shared.artifacts.manifest import write_manifest
from shared.settings.load import RUNS, load_settings, write_settings
from shared.task.tables import MISCONCEPTIONS
from tests.inference.tagging.conftest import CONFIDENCE, folders
from training.cli import main
from training.tagging.run_models import read_run

__all__ = ["folders"]  # a fixture
ROOT = Path(__file__).parents[3]
ROW = {"subject": "Fractions", "construct": "Add", "question": "1/2 + 1/3 = ?", "correct": "5/6", "wrong": "2/5"}


@pytest.fixture
def place(place, folders, misconceptions) -> Path:
    """A folder with a finished run of demo0, split full, and rows.jsonl."""
    run = RUNS / "demo0" / "full"
    write_settings(load_settings("demo0", ["evaluate.engine=hf"]), run)
    for role, folder in zip(("embedder", "reranker"), folders, strict=True):
        shutil.copytree(folder, run / f"merge_{role}")
    MISCONCEPTIONS.write(misconceptions, run / "prepare")
    (run.parent / "confidence").mkdir()
    write_confidence(CONFIDENCE, run.parent / "confidence")
    write_manifest(run.parent / "confidence", {})
    rows = [{**ROW, "id": "a"}, {**ROW, "wrong": "1/6"}]
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return place


def test_a_file_of_rows_becomes_a_file_of_tags(place, capsys):
    assert main(["tag", "rows.jsonl", "iter=demo0", "k=2"]) == 0
    said = [json.loads(line) for line in (place / "rows.tags.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in said] == ["a", "2"] and [len(row["tags"]) for row in said] == [2, 2]
    assert "rows.tags.jsonl: 2 rows tagged" in capsys.readouterr().out
    assert main(["tag", "iter=demo0", "file=rows.jsonl", "k=2", "out=tags.csv"]) == 0
    with open("tags.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["id"], line["rank"]) for line in lines] == [("a", "1"), ("a", "2"), ("2", "1"), ("2", "2")]
    assert [int(line["entry"]) for line in lines] == [tag["id"] for row in said for tag in row["tags"]]
    assert all(0 < float(line["probability"]) < 1 and line["in_catalogue"] in ("true", "false") for line in lines)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["iter=demo0"], "say which file: tag FILE iter=1"),
        (["none.jsonl", "iter=demo0"], "none.jsonl does not exist"),
        (["rows.jsonl", "iter=demo0", "k=0"], "k=0: say a number from 1 to 100"),
        (["rows.jsonl", "iter=demo0", "absent=2"], "absent=2: say a share between 0 and 1"),
        (["rows.jsonl", "iter=demo0", "engine=gpu"], "engine=gpu: it is hf or vllm"),
        (["rows.jsonl", "iter=demo0", "split=cv"], "cv"),
        (["rows.jsonl", "iter=demo0", "out=tags.txt"], "end in .csv or .jsonl"),
    ],
)
def test_a_wrong_word_is_one_sentence_and_writes_nothing(place, capsys, words, sentence):
    assert main(["tag", *words]) == 2
    assert sentence in capsys.readouterr().err and not list(place.glob("*tags*"))


def test_a_killed_server_leaves_the_edits_that_it_said_yes_to(place, capsys):
    command = [sys.executable, "-m", "training", "serve", "iter=demo0", "port=0", "--retrieve-only"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = next(line.split("/docs")[0] for line in server.stdout if "/docs" in line)
        client = httpx.Client(base_url=address, timeout=120)  # it listens: a request waits until the models are open
        assert client.post("/catalogue", json={"text": "Halves twice"}).json()["id"] == 51
        client.put("/catalogue/51", json={"text": "Halves thrice"}).raise_for_status()
        client.delete("/catalogue/10").raise_for_status()
        assert client.post("/tag", json={"rows": [ROW], "k": 1}).status_code == 200
        assert main(["serve", "iter=demo0", "port=0"]) == 2  # two would each keep their own edits
        assert "is served by another process" in capsys.readouterr().err
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    with read_run("demo0", {}, retrieve_only=True).open() as tagger:
        texts = dict(tagger.catalogue.entries.iter_rows())
    assert texts[51] == "Halves thrice" and 10 not in texts and len(texts) == 12
