"""Guards named runs where models are really trained: killed, gone on with, compared, and with another kind."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.artifacts.card import read_reranker_card
from shared.artifacts.lineage import read_lineage
from shared.artifacts.manifest import digest, verify_manifest
from shared.settings.load import ITERATIONS
from tests.soak.small_run import FIRST_ONLY, PARAMS
from tests.tiny_models import make_llama
from training.run_folder.training_log import Began, Updated, log_of, read_log
from training.synthesis.malrules.generate import write_competition

ROOT = Path(__file__).parents[3]
PLAIN, FAST = Path("runs/tiny0/cv"), Path("runs/tiny0@fast/cv")
TRAIN_FAST = ("train", "iter=tiny0", "as=fast", "train_reranker.rate=0.01")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder in which the plain run of an iteration is trained and evaluated."""
    place = tmp_path_factory.mktemp("named")
    make_llama(place / "base")
    write_competition(place / "competition", questions=40, test_questions=4)
    folder = place / ITERATIONS / "tiny0"
    folder.mkdir(parents=True)
    (folder / "params.toml").write_text(FIRST_ONLY + PARAMS.replace("DISTILL", ""), encoding="utf-8")
    done = command(place, "train", "iter=tiny0")
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def command(place: Path, *words: str, room: str = "training") -> subprocess.CompletedProcess:
    words = (sys.executable, "-m", room, *words)
    return subprocess.run(words, cwd=place, env=environment(), capture_output=True, text=True)


def digests(run: Path) -> dict[str, str]:
    return {path.parent.name: digest(path.parent) for path in run.glob("*/manifest.json")}


def kill_while_it_trains(place: Path) -> None:
    """Start the named run, and send signal 9 to all of its processes once its reranker has a checkpoint."""
    words = [sys.executable, "-m", "training", *TRAIN_FAST]
    out = subprocess.DEVNULL
    process = subprocess.Popen(words, cwd=place, env=environment(), stdout=out, stderr=out, start_new_session=True)
    checkpoint = place / FAST / ".train_reranker.state/checkpoint/progress.json"
    while not checkpoint.is_file():
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_named_run_goes_on_by_the_same_command_harms_no_other_and_is_compared(trained):
    before = digests(trained / PLAIN)
    assert len(before) == 9  # no teacher comes before it
    kill_while_it_trains(trained)
    assert not (trained / FAST / "train_reranker").exists() and digests(trained / PLAIN) == before
    done = command(trained, *TRAIN_FAST)
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(trained / PLAIN) == before
    for run in (PLAIN, FAST):
        for stage in before:
            verify_manifest(trained / run / stage)
    after = digests(trained / FAST)
    assert {stage for stage in before if after[stage] != before[stage]} >= {"train_reranker", "merge_reranker"}
    shared = {stage for stage in before if read_lineage(trained / FAST / stage).shared_with}
    assert {"prepare", "train_embedder", "merge_embedder", "mine_for_reranker"} <= shared
    out = trained / FAST / "train_reranker"
    log = read_log(log_of(out), read_lineage(out).fingerprint)
    assert sum(isinstance(line, Began) for line in log) == 2  # the killed attempt, and the one that went on
    places = [(line.epoch, line.update) for line in log if isinstance(line, Updated)]
    assert places == sorted(set(places)) and {epoch for epoch, _ in places} == {1, 2}  # none twice
    said = command(trained, "compare", f"a={PLAIN}", f"b={FAST}")
    assert said.returncode == 0 and "runs/tiny0@fast/cv" in said.stdout, said.stdout + said.stderr


def test_a_reranker_that_reads_lists_is_trained_merged_evaluated_and_predicts(trained):
    kind = "listed"
    lists = ("reranker.window=4", "merge_reranker.orders=2", "train_reranker.shortest_list=2")
    done = command(trained, "train", "iter=tiny0", f"as={kind}", f"reranker.kind={kind}", *lists)
    assert done.returncode == 0 and "  as reranked, 95 % interval" in done.stdout, done.stdout + done.stderr
    run = trained / f"runs/tiny0@{kind}/cv"
    model = run / "merge_reranker"
    verify_manifest(model)
    card = read_reranker_card(model)
    assert (card.kind, card.prompt.window, card.prompt.orders) == (kind, 4, 2)
    again = command(trained, "plan", "iter=tiny0", f"as={kind}", "merge_reranker.orders=1")
    changed = [line.split()[1].rpartition("/")[2] for line in again.stdout.splitlines() if line.startswith("run ")]
    assert changed == ["merge_reranker", "evaluate"], again.stdout + again.stderr  # another order trains nothing
    out = trained / f"{kind}.csv"
    models = ("--embedder", str(run / "merge_embedder"), "--reranker", str(model))
    how = ("--competition", "competition", "--profile", "cpu", "--engine", "hf", "--depth", "6", "--out", str(out))
    done = command(trained, "predict", *models, *how, room="inference")
    assert done.returncode == 0, done.stdout + done.stderr
    scored = read_submission_ids(out)
    assert len(scored) == 12 and all(len(ids) == len(set(ids)) == 25 for ids in scored)
    said = command(trained, "export-model", f"iter=tiny0@{kind}", "to=shared")
    assert said.returncode == 2 and "only one that reads pairs can be exported" in said.stderr, said.stderr
    assert not (trained / "shared").exists() and len(said.stderr.splitlines()) == 1


def read_submission_ids(path: Path) -> list[list[str]]:
    """The misconceptions of each row of a submission."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row["MisconceptionId"].split() for row in csv.DictReader(file)]
