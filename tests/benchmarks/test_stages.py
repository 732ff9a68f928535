"""Runs every benchmark at the tiny shape on the CPU: the numbers must agree, the times may be what they like."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks import mine, score, train_embedder, train_reranker
from benchmarks.gpus import WORK
from benchmarks.harness.bench import opened


@pytest.fixture(scope="module")
def bench():
    with opened("tiny") as bench:
        yield bench


@pytest.mark.parametrize("stage", [train_reranker, score, train_embedder, mine], ids=lambda stage: stage.__name__)
def test_every_side_that_is_installed_gives_the_numbers_of_separate_32_bit_rows(stage, bench, tmp_path):
    out = tmp_path / "stage.json"
    stage.run(bench, 600.0, out)  # a slow machine may take its time
    arms = json.loads(out.read_text(encoding="utf-8"))["arms"]
    assert {arm["side"] for arm in arms} >= {"ours"}
    for arm in arms:
        assert arm["seconds"] and not arm["said"]
        assert arm["checks"].get("gradient_cosine", 1) > 1 - 1e-9
        assert arm["checks"].get("loss_error", 0) < 1e-5
        assert arm["checks"].get("max_error", 0) < 1e-5
        assert arm["checks"].get("kendall_tau", 1) == 1


def test_only_the_wanted_arms_are_measured(bench, tmp_path):
    for words in (("ours, instruction", "nobody"), ("nobody",)):
        score.run(replace(bench, wanted=words), 600.0, tmp_path / f"{len(words)}.json")
    [arms] = (json.loads(out.read_text(encoding="utf-8"))["arms"] for out in tmp_path.iterdir())
    assert [arm["setting"] for arm in arms] == ["instruction first + trie of siblings"]


def test_two_processes_share_the_work_of_one(tmp_path):
    command = [sys.executable, "-m", "benchmarks.all", "--shape", "tiny", "--gpus", "2", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for name in WORK:
        found = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        alone, together = found["losses"]
        assert found["processes"] == 2
        assert 0 < found["efficiency"] < 2
        assert 0 <= found["share_waiting"] + found["share_adding_gradients"] < 1
        assert together == pytest.approx(alone, rel=1e-6)
        assert found["cosine_of_answers"] == pytest.approx(1, abs=1e-5)
