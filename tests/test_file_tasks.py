"""Guards that a task is a file for every command: one small run of each definition that ships, and all that follows."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.task.current import find_task
from shared.task.folds import labelled_queries, labels_of
from tests.file_tasks import NAMES, SLUG, name_contest, write_files, write_iteration
from tests.kaggle_kernels.kaggle_server import OWNER, Server
from tests.kaggle_kernels.lab import pointed_at
from tests.tiny_models import make_qwen, make_wide_qwen
from tests.training.analysis.report.test_page import chromium, open_page
from tests.whole import RELEASE, copy_checkout, execute_offline, run

__all__ = ["chromium"]  # a fixture
DATA = Path("data/small")
EMBEDDER, RERANKER = (f"runs/tiny0/cv/merge_{role}" for role in ("embedder", "reranker"))


@pytest.fixture(scope="module", params=NAMES)
def task(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def checkout(task, tmp_path_factory) -> Path:
    """A checkout in which two draws of an iteration of the task are trained and evaluated."""
    place = copy_checkout(tmp_path_factory.mktemp(task))
    make_wide_qwen(make_qwen(place / "narrow"), place / "base")
    write_files(task, place / DATA)
    write_iteration(place, task, DATA)
    name_contest(place, task)
    do(place, "cv", "iter=tiny0", "draws=2")
    return place


def do(place: Path, *words: str, room: str = "training") -> str:
    """What a command says, which has to end well."""
    done = run(place, room, *words, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_its_files_are_checked_and_nothing_is_left_to_do_for_its_runs(task, checkout):
    said = do(checkout, "check-data", f"task={task}", f"path={DATA}")
    assert [Path(line.split()[0]).relative_to(DATA).as_posix() for line in said.splitlines()] == list(
        find_task(task).inputs
    )
    assert {line.split()[0] for line in do(checkout, "plan", "iter=tiny0").splitlines()} == {"done"}


def test_a_finished_run_is_calibrated_reported_and_compared_in_the_tasks_own_figure(task, checkout):
    title = find_task(task).metric.title
    assert "written to runs/tiny0/calibration" in do(checkout, "calibrate", "iter=tiny0")
    said = do(checkout, "report", "iter=tiny0")
    assert f"runs/tiny0/cv: {title} among" in said
    lines = [line.split("│")[1].split()[0] for line in said.splitlines() if line.startswith("│")]
    assert lines[-6:] == ["popularity", "bm25", "untrained", "miner", "retrieved", "reranked"]
    assert "tiny0" in do(checkout, "runs")
    do(checkout, "train", "iter=tiny0", "as=more", "evaluate.depth=6")
    assert title in do(checkout, "compare", "a=tiny0", "b=tiny0@more")


def test_its_page_has_every_pair_with_its_own_text_and_entries(task, checkout, chromium):
    do(checkout, "report", "iter=tiny0", "split=cv2")
    page, said = open_page(chromium, checkout / "runs/tiny0/cv2/report.html", 1280, "light")
    pairs = labels_of(
        labelled_queries(find_task(task).tables.queries.read(checkout / "runs/tiny0/cv2/prepare"), "valid")
    )
    assert page.locator("#count").inner_text() == f"{len(pairs)} of {len(pairs)} rows" and said == []
    shown = "\n".join(page.locator("#found details").all_text_contents())
    assert "undefined" not in shown and "chosen answer" not in shown
    assert len(set(page.locator("#found .question").all_text_contents())) > 1
    page.close()


def test_its_labels_are_audited_and_decisions_measured(task, checkout):
    do(checkout, "audit-labels", "iter=tiny0", "--words-only")
    folder = checkout / "runs/tiny0/label_audit"
    with open(folder / "labels.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    known = set(find_task(task).read_misconceptions(checkout / DATA)["item"])
    assert rows and {row["label"] for row in rows} | {row["suggestion"] for row in rows} <= known
    rows[0]["decision"] = "change"
    with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert "holds 1 corrected label\n" in do(checkout, "audit-labels", "iter=tiny0", f"decided={folder}")
    written = (folder / "corrections.csv").read_text(encoding="utf-8").splitlines()
    assert written[1:] == [f"{rows[0]['query_id']},{rows[0]['label']},{rows[0]['suggestion']}"]


def test_its_own_test_file_is_tagged_with_entries_as_its_files_call_them(task, checkout):
    files = find_task(task).files
    out = checkout / f"{task}.tags.csv"
    do(checkout, "tag", str(DATA / files.test), "iter=tiny0", "k=2", f"out={out}")
    with open(out, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    data = find_task(task).read(checkout / DATA, need_train=False)
    assert list(dict.fromkeys(row["id"] for row in rows)) == data.test["query_id"].to_list()
    assert {row["entry"] for row in rows} <= set(data.misconceptions["item"]) and len(rows) == 2 * len(data.test)


def test_predict_writes_its_submission_and_shows_it_and_quantize_takes_its_models(task, checkout):
    models = ("--embedder", EMBEDDER, "--reranker", RERANKER)
    how = ("--profile", "cpu", "--engine", "hf", "--competition", str(DATA))
    shown = do(checkout, "predict", *how, *models, "--out", "submission.csv", "--show", "1", room="inference")
    lines = (checkout / "submission.csv").read_text(encoding="utf-8").splitlines()
    said = find_task(task)
    first = lines[1].partition(",")[2].split(said.submission.separator)[0]
    assert re.search(rf"^  1\. .* \({re.escape(first)}\)$", shown, re.MULTILINE)  # beside its text
    assert lines[0] == ",".join(said.submission.columns)
    assert len(lines) == 1 + len(said.read(checkout / DATA, need_train=False).test)
    asked = ("--question", "x", "--correct", "y", "--wrong", "z")
    done = run(checkout, "inference", "predict", *how, *models, *asked)
    assert done.returncode == 2 and f"the models are of the task {task}" in done.stderr
    do(checkout, "quantize", "--check", "iter=tiny0", "split=cv", "scheme=fp8")


@pytest.mark.parametrize("task", ["beir"], indirect=True)  # a minute; nothing in it is of one task
def test_its_release_sends_a_notebook_that_predicts_without_a_network(task, checkout, tmp_path, monkeypatch):
    server = Server()
    own = {name: value for name, value in os.environ.items() if not name.startswith("KAGGLE_")}
    own |= pointed_at(server.port, tmp_path)
    start = RELEASE.replace("iter=demo1", "iter=tiny0")
    done = subprocess.run(
        [sys.executable, "-c", start, str(time.time())], cwd=checkout, env=own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    version = server.kernels["malrule-submit"]["versions"][-1]
    assert SLUG in json.dumps(version, default=str)
    inputs = tmp_path / "input"
    for slug, dataset in server.datasets.items():
        for name, content in dataset["versions"][-1].files.items():
            place = inputs / "datasets" / OWNER / slug / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    shutil.copytree(checkout / DATA, inputs / "competitions" / SLUG)
    notebook = execute_offline(version["text"], inputs, tmp_path, monkeypatch)
    lines = (tmp_path / "submission.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(find_task(task).read(checkout / DATA, need_train=False).test)
    said = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
    assert f"{find_task(task).metric.title} 0." in said  # of the sample
