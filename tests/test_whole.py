"""Guards the whole: the smallest demo through every real engine, repeated, killed, damaged and without a network."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shared.artifacts.manifest import digest, read_manifest, verify_manifest
from shared.task.eedi import read_competition
from shared.task.submission import read_submission
from tests.kaggle_kernels.kaggle_server import OWNER, Server
from tests.whole import RELEASE, ROOT, SMALLEST, copy_checkout, execute_offline, offline, run
from training.pipeline.stages import STAGES


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A checkout in which the smallest demo has run."""
    place = copy_checkout(tmp_path_factory.mktemp("whole"))
    done = run(place, "training", "demo", "questions=40", *SMALLEST, env=offline(place / ".offline"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (place / "demo.log").write_text(done.stdout, encoding="utf-8")
    return place


def test_the_demo_ends_with_a_table_and_a_scored_submission(checkout):
    log = (checkout / "demo.log").read_text(encoding="utf-8")
    assert re.search(r"^stage 20 of 20.*  runs/demo1/cv/evaluate  measures both models", log, re.MULTILINE)
    assert re.search(r"\n  0\.\d{3}  demo1: as the reranker then orders them\n", log)
    assert re.search(r"\nThe submission  runs/demo/submission\.csv: 0\.\d{4} over \d+ hidden answers\n", log)
    data = read_competition(checkout / "data/demo", need_train=False)
    known = set(data.misconceptions["misconception_id"])
    rows = read_submission(checkout / "runs/demo/submission.csv", data.test, known)
    assert rows["query_id"].n_unique() == len(data.test) == 30


def test_every_output_is_whole_and_names_what_made_it(checkout):
    folders = sorted(path.parent for path in (checkout / "runs").glob("demo?/cv/*/manifest.json"))
    assert len(folders) == 9 + 11  # iteration 0 has no teacher
    for folder in folders:
        verify_manifest(folder)
    lineage = read_manifest(checkout / "runs/demo1/cv/merge_reranker")["lineage"]
    assert lineage["adapter"] == "train_reranker/epoch_1"
    assert len(lineage["base_sha256"]) == len(lineage["adapter_sha256"]) == 64


def test_a_second_run_does_nothing_and_a_changed_setting_redoes_what_follows(checkout):
    again = run(checkout, "training", "train", "iter=demo1", *SMALLEST)
    assert again.returncode == 0 and "runs/demo1/cv is up to date: 20 of 20 stages were\n" in again.stdout
    plan = run(checkout, "training", "plan", "iter=demo1", *_with("evaluate.depth=4"))
    assert [line for line in plan.stdout.splitlines() if line.startswith("run")] == [
        "run   runs/demo1/cv/evaluate  evaluate.depth: 5 -> 4"
    ]
    plan = run(checkout, "training", "plan", "iter=demo1", *_with("mine_for_reranker.count=6"))
    changed = [line.split()[1].rpartition("/")[2] for line in plan.stdout.splitlines() if line.startswith("run")]
    assert changed == ["mine_for_reranker", "teach_reranker", "audit", "train_reranker", "merge_reranker", "evaluate"]


def _with(override: str) -> list[str]:
    """SMALLEST with another value of one key: a command is given each key once."""
    return [*(item for item in SMALLEST if item.partition("=")[0] != override.partition("=")[0]), override]


BOTH_ENGINES = """
from pathlib import Path
from inference.engines.serving import Serving
from inference.machine.profiles import load_profile
from inference.reranking.kinds import open_reranker
from inference.reranking.order import rerank
from inference.retrieval.retrieve import retrieve
from shared.artifacts.card import read_embedder_card
from shared.task.eedi import read_competition

data, folder = read_competition(Path() / "data/demo", need_train=False), Path() / "runs/demo1/cv"
profile, test = load_profile("cpu"), data.test.head(12)
for engine in ("hf", "vllm"):
    embedder, serving = folder / "merge_embedder", Serving(engine, profile)
    candidates = retrieve(test, data.misconceptions, embedder, read_embedder_card(embedder), serving, k=8)
    with open_reranker(folder / "merge_reranker", serving) as reranker:
        ranked = rerank(reranker, test, data.misconceptions, candidates, depth=8)
    ranked.sort("query_id", "misconception_id").write_parquet(f"{engine}.parquet")
"""


def test_both_engines_give_the_same_ranking_and_scores_within_a_thousandth(checkout):
    # in a process of its own: vLLM looks through all modules that a process has, and this one has those of all tests
    done = subprocess.run([sys.executable, "-c", BOTH_ENGINES], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {engine: pl.read_parquet(checkout / f"{engine}.parquet") for engine in ("hf", "vllm")}
    hf, vllm = found["hf"], found["vllm"]
    for key in ("query_id", "misconception_id", "rank"):
        assert hf[key].to_list() == vllm[key].to_list()
    for score in ("retrieval_score", "rerank_score"):
        np.testing.assert_allclose(hf[score].to_numpy(), vllm[score].to_numpy(), atol=1e-3)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("stale", "is not what is mounted"),
        ("torn", "differs"),
        ("absent", "no reranker under"),
    ],
)
def test_the_kernel_refuses_inputs_that_are_not_what_was_pushed(checkout, tmp_path, damage, sentence):
    inputs = tmp_path / "input"
    subprocess.run(["cp", "-rL", str(checkout / "runs/demo/input"), str(inputs)], check=True)
    kernel = tmp_path / "kernel.py"
    sources = {"malrule-x": {"version": 2, "digest": "0" * 64}} if damage == "stale" else {}
    kernel.write_text(
        (ROOT / "kaggle_kernels/submit/kernel.py")
        .read_text(encoding="utf-8")
        .replace("SOURCES = {}", f"SOURCES = {sources}"),
        encoding="utf-8",
    )
    if damage == "torn":
        with (inputs / "merge_embedder/model.safetensors").open("r+b") as file:
            file.truncate(1000)
    if damage == "absent":
        subprocess.run(["rm", "-r", str(inputs / "merge_reranker")], check=True)
    paths = {"MALRULE_INPUT": str(inputs), "MALRULE_OUT": str(tmp_path / "submission.csv"), "MALRULE_PROFILE": "cpu"}
    paths["KAGGLE_IS_COMPETITION_RERUN"] = "1"
    done = subprocess.run(
        [sys.executable, "-I", str(kernel)], env={**os.environ, **paths}, capture_output=True, text=True
    )
    assert done.returncode == 1 and sentence in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "submission.csv").exists()


def test_training_on_everything_ends_in_two_models_and_no_figures(checkout):
    done = run(checkout, "training", "train", "iter=demo0", "split=full", *SMALLEST)
    assert done.returncode == 0, done.stderr[-3000:]
    finished = sorted(path.parent.name for path in (checkout / "runs/demo0/full").glob("*/manifest.json"))
    texts = ("explain", "describe", "train_writer", "merge_writer")
    left_out = ("train_teachers", "teach", "evaluate", "quantize", *texts)
    assert finished == sorted(name for name in STAGES if not name.startswith(left_out))
    queries = pl.read_parquet(checkout / "runs/demo0/full/prepare/queries.parquet")
    assert queries["fold"].unique().to_list() == ["train"]


def test_a_run_killed_again_and_again_ends_with_the_same_models(checkout, tmp_path):
    place = copy_checkout(tmp_path / "killed")
    command = [sys.executable, "-m", "training", "train", "iter=demo0", *SMALLEST]
    (place / "data").mkdir()
    subprocess.run(["cp", "-r", str(checkout / "data/demo"), str(place / "data/demo")], check=True)
    for seconds in (9, 20, 14, 23, 17):  # in mining, in training, in merging, wherever they fall
        process = subprocess.Popen(command, cwd=place, start_new_session=True, stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)  # this process alone: the stage and torchrun must see to themselves
        process.wait()
    done = run(place, *command[2:])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for stage in ("mine_for_embedder", "merge_embedder", "merge_reranker"):
        there, here = (folder / "runs/demo0/cv" / stage for folder in (checkout, place))
        assert digest(there) == digest(here), json.dumps([read_manifest(there), read_manifest(here)], indent=1)


@pytest.fixture(scope="module")
def released(checkout, tmp_path_factory) -> Server:
    """The Kaggle that a release was sent to, which was killed at twenty random moments and then ran to its end."""
    home, server, draw = str(tmp_path_factory.mktemp("home")), Server(), random.Random("release")
    own = {name: value for name, value in os.environ.items() if not name.startswith("KAGGLE_")}
    own |= {"KAGGLE_CONFIG_DIR": home, "KAGGLE_USERNAME": OWNER, "KAGGLE_KEY": "fake", "HOME": home}
    own |= {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "NO_PROXY": "", "no_proxy": ""}
    own |= dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")
    own |= dict.fromkeys(("HTTP_PROXY", "http_proxy"), f"http://127.0.0.1:{server.port}")
    release = [sys.executable, "-c", RELEASE, str(time.time())]
    server.storage.pace = 0.05  # seconds a megabyte: what is in flight at a kill is little
    for moment in sorted(draw.uniform(0, 290) for _ in range(20)):  # of 72 files, 150 MB, 3 datasets, 2 kernels
        process = subprocess.Popen(release, cwd=checkout, env=own, stdout=subprocess.DEVNULL)
        while process.poll() is None and _progress(server) < moment:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.3))
        process.kill()
        process.wait()
    server.storage.pace = 0.0
    done = subprocess.run(release, cwd=checkout, env=own, capture_output=True, text=True)
    if "gave no answer" in done.stderr:  # a kill fell between the note of a write and the write
        done = subprocess.run([*release, "--again"], cwd=checkout, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "submission 1 of malrule-submit version 1" in done.stdout
    return server


def _progress(server: Server) -> float:
    """How far a release is: files begun, megabytes there, and ten for each thing made."""
    made = [*server.datasets, *server.kernels, *server.submissions]
    return len(server.blobs) + server.storage.sent_bytes / 1e6 + 10 * len(made)


def test_a_release_killed_at_twenty_random_moments_sends_everything_once(released):
    # code, embedder and reranker; both kernels; one submission
    calls = ("CreateDataset", "CreateDatasetVersion", "SaveKernel", "CreateCodeSubmission")
    assert [released.count(call) for call in calls] == [3, 0, 2, 1]
    newest = [dataset["versions"][-1].files for dataset in released.datasets.values()]
    sent = [(Path(path).name, hashlib.sha256(data).hexdigest()) for files in newest for path, data in files.items()]
    assert sorted(released.storage.completed()) == sorted(sent)
    total = sum(len(data) for files in newest for data in files.values())
    assert released.storage.sent_bytes < total + 20 * 2_000_000  # what was on its way when it died travels again


def test_the_notebook_that_kaggle_got_makes_the_demos_submission_from_what_kaggle_got(
    released, checkout, tmp_path, monkeypatch
):
    inputs = tmp_path / "input"
    for slug, dataset in released.datasets.items():  # the code as of old, the models as of 2026
        place = inputs / slug if slug == "malrule-code" else inputs / "datasets" / OWNER / slug
        for name, content in dataset["versions"][-1].files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
    shutil.copytree(checkout / "data/demo", inputs / "competitions/eedi")
    text = released.kernels["malrule-submit"]["versions"][-1]["text"]
    notebook = execute_offline(text, inputs, tmp_path, monkeypatch)
    found, wanted = (_rows(path) for path in (tmp_path / "submission.csv", checkout / "runs/demo/submission.csv"))
    assert found.keys() == wanted.keys() and sum(found[row] != wanted[row] for row in wanted) <= len(wanted) / 10
    for row, ids in wanted.items():
        assert len(found[row]) == len(ids)
        both = {*found[row]} & {*ids}
        here, there = ([one for one in order if one in both] for order in (found[row], ids))
        assert len(here) >= len(ids) - 1, row
        assert all(abs(here.index(one) - there.index(one)) <= 1 for one in here), row
    said = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
    assert re.search(r"misconceptions are not encoded, .*/misconceptions.vectors has their vectors", said)
    assert re.search(r"sample: 6 rows of train.csv, MAP@25 0\.\d{3} over \d+ labelled ones", said)
    assert sum(1 for _ in (tmp_path / "sample/submission.csv").open()) == 1 + 6


def _rows(submission: Path) -> dict[str, list[str]]:
    """{row: its ids in order}; neighbours may change places where the misconceptions' vectors come from push-models.

    Engine hf computed those and vLLM those of the demo, so that they differ by up to 1e-6, and so may two candidates
    be ordered whose scores are as near to each other; at the end of the list one of them falls out.
    """
    lines = submission.read_text(encoding="utf-8").splitlines()[1:]
    return {name: ids.split() for name, ids in (line.split(",") for line in lines)}
