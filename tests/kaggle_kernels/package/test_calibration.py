"""Guards calibration.py: a calibration travels with the reranker of split=full into the kernel."""

import json

import pytest

from inference.fusion.calibration import CALIBRATION_FILE, Calibration, calibration_of, write_calibration
from inference.fusion.ensemble import Member, Models
from inference.kernel.work import find_model
from shared.artifacts.manifest import digest, verify_manifest, write_manifest

STAGED = ".cache/kaggle/malrule-iter1-reranker/files"


@pytest.fixture
def calibration(checkout):
    folder = checkout / "runs/iter1/calibration"
    folder.mkdir()
    made = Calibration(retrieved=200, depth=30, extra=5, offset=0.75, labelled=(1, 4, 7))
    write_calibration(made, folder)
    (folder / "figures.json").write_text("[]", encoding="utf-8")
    write_manifest(folder, {"stage": "calibrate"})
    return made


def test_without_one_a_line_says_so_and_the_models_go_as_they_are(server, publish, checkout):
    outcome = publish("push-models", "iter=1")
    assert outcome.code == 0, outcome.err
    assert "goes without a calibration: runs/iter1/calibration is not there (just calibrate iter=1)" in outcome.out
    assert CALIBRATION_FILE not in server.newest("malrule-iter1-reranker").files
    assert digest(checkout / STAGED) == digest(checkout / "runs/iter1/full/merge_reranker")


def test_the_calibration_travels_with_the_reranker_and_the_kernel_applies_it(server, publish, checkout, calibration):
    outcome = publish("push-models", "iter=1")
    assert outcome.code == 0, outcome.err
    assert "runs/iter1/calibration/calibration.json goes along with the reranker" in outcome.out
    sent = server.newest("malrule-iter1-reranker").files
    assert sent[CALIBRATION_FILE] == (checkout / "runs/iter1/calibration" / CALIBRATION_FILE).read_bytes()
    assert CALIBRATION_FILE in json.loads(sent["manifest.json"])["files"]
    assert CALIBRATION_FILE not in server.newest("malrule-iter1-embedder").files
    verify_manifest(checkout / STAGED)
    verify_manifest(checkout / "runs/iter1/full/merge_reranker")  # is left as it was
    mounted = find_model(checkout / STAGED, "reranker", {})
    assert calibration_of(Models((Member(mounted),), (Member(mounted),))) == calibration


def test_pushing_again_sends_nothing_and_another_calibration_makes_a_version(server, publish, checkout, calibration):
    assert publish("push-models", "iter=1").code == 0
    again = publish("push-models", "iter=1")
    assert again.out.count("is already there") == 2
    folder = checkout / "runs/iter1/calibration"
    write_calibration(calibration.model_copy(update={"offset": 1.5}), folder)
    damaged = publish("push-models", "iter=1")
    assert damaged.code == 1 and "calibration.json differs" in damaged.err
    write_manifest(folder, {"stage": "calibrate"})
    changed = publish("push-models", "iter=1")
    assert "malrule-iter1-embedder version 1 is already there" in changed.out
    assert "malrule-iter1-reranker version 2 is there" in changed.out


def test_the_models_of_a_draw_go_without_it(server, publish, checkout, calibration):
    (checkout / "runs/iter1/full").rename(checkout / "runs/iter1/cv")
    outcome = publish("push-models", "iter=1", "split=cv")
    assert outcome.code == 0, outcome.err
    assert "calibration" not in outcome.out
    assert CALIBRATION_FILE not in server.newest("malrule-iter1-cv-reranker").files
