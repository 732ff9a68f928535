"""Guards the pushing of kernels and the entering of submissions, against a Kaggle of our own."""

import json

import pytest

from tests.kaggle_kernels.kaggle_checkout import failure, rewrite
from tests.kaggle_kernels.kaggle_server import Version
from tests.kaggle_kernels.kaggle_storage import Fault


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"enable_internet": True}, "enable_internet must be false"),
        ({"enable_internet": None}, "enable_internet must be written, and be a bool"),
        ({"is_private": False}, "is_private must be true"),
        ({"machine_shape": "NvidiaTeslaP100"}, "machine_shape 'NvidiaTeslaP100' is none of"),
        ({"docker_image": "gcr.io/kaggle-private-byod/python:latest"}, "must be pinned by its digest"),
        (
            {"docker_image": "gcr.io/kaggle-images/python@sha256:" + "1" * 64},
            "is the CPU image, which wins over the GPU",
        ),
        ({"docker_image_pinning_type": "latest"}, "must be pinned by its digest"),
        ({"title": "another title"}, "gives the slug 'another-title'"),
        ({"code_file": "absent.py"}, "absent.py does not exist"),
        ({"dataset_sources": "malrule-code"}, "dataset_sources must be written, and be a list"),
    ],
)
def test_a_kernel_that_could_not_be_submitted_is_not_pushed(changes, words, publish, server, checkout):
    rewrite(checkout / "kaggle_kernels/submit/kernel-metadata.json", **changes)
    assert words in failure(publish("push-kernel", "iter=1"))
    assert not server.kernels


def test_a_kernel_needs_its_datasets_at_the_versions_in_the_locks(publish, server):
    assert publish("push-wheels").code == 0
    assert "malrule-code was not pushed from here" in failure(publish("push-kernel", "iter=1"))
    assert publish("push-code").code == publish("push-models", "iter=1").code == 0
    server.datasets["malrule-code"]["versions"].append(Version({"x": b""}, "", ["READY"], 0))
    assert "should be version 1, READY, and Kaggle has version 2" in failure(publish("push-kernel", "iter=1"))


def test_a_source_that_kaggle_drops_is_a_failure_although_kaggle_says_success(publish, server):
    assert publish("push-code").code == publish("push-models", "iter=1").code == publish("push-wheels").code == 0
    server.invalid_sources = ["alice/malrule-iter1-reranker"]
    assert "WITHOUT its sources alice/malrule-iter1-reranker" in failure(publish("push-kernel", "iter=1"))
    server.faults = [Fault("SaveKernel", 0, "cut_after")]  # the same, and the answer that says so is lost
    assert "has datasetDataSources" in failure(publish("push-kernel", "iter=1"))
    assert "was not pushed from here" in failure(publish("submit"))


def test_a_notebook_travels_without_outputs_and_with_its_sources(publish, server, checkout):
    folder = checkout / "kaggle_kernels/submit"
    rewrite(folder / "kernel-metadata.json", kernel_type="notebook", code_file="kernel.ipynb")
    cell = {
        "cell_type": "code",
        "source": ["x = 1\n", "SOURCES = {}\n"],
        "outputs": [{"text": "secret"}],
        "metadata": {},
    }
    (folder / "kernel.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}), encoding="utf-8")
    assert all(publish(*command).code == 0 for command in (["push-code"], ["push-models", "iter=1"], ["push-wheels"]))
    assert publish("push-kernel", "iter=1").code == 0
    (sent,) = json.loads(server.kernels["malrule-submit"]["versions"][-1]["text"])["cells"]
    assert sent["outputs"] == [] and sent["source"].startswith('x = 1\nSOURCES = {"malrule-code": {"digest": "')


@pytest.mark.parametrize(
    ("status", "code"), [("QUEUED", 0), ("RUNNING", 0), ("COMPLETE", 0), ("ERROR", 1), ("CANCEL_ACKNOWLEDGED", 1)]
)
def test_kernel_status_tells_a_failed_run_by_its_exit_status(status, code, publish, server):
    assert publish("push-wheels").code == 0
    server.kernels["malrule-wheels"]["statuses"][1] = [status]
    outcome = publish("kernel-status", "kernel=wheels")
    assert (outcome.code, f"malrule-wheels version 1: {status}" in outcome.out + outcome.err) == (code, True)


def test_a_submission_waits_for_the_run_and_looks_at_its_output_and_the_limit_first(publish, server):
    for command in (["push-code"], ["push-models", "iter=1"], ["push-wheels"], ["push-kernel", "iter=1"]):
        assert publish(*command).code == 0
    server.kernels["malrule-submit"]["statuses"][1] = ["ERROR"]
    assert "ended as ERROR" in failure(publish("submit"))
    server.kernels["malrule-submit"]["statuses"][1] = ["RUNNING", "COMPLETE"]
    server.output = ["log.txt"]
    assert "left no submission.csv" in failure(publish("submit"))
    server.output, server.left = ["submission.csv"], 0
    assert "takes no more submissions today" in failure(publish("submit"))
    assert not server.submissions
    server.left, server.score_statuses = 1, ["PENDING", "ERROR"]
    assert "submission 1 failed at Kaggle" in failure(publish("submit"))


def test_every_question_about_a_version_names_it_as_kaggle_does(publish, server):
    assert publish("release", "iter=1").code == publish("kernel-status").code == 0
    asked = [body["versionLabel"] for _, body in server.log if "versionLabel" in body]
    assert set(asked) == {"v1"} and len(asked) > 4
