"""Guards the pushing of kernels and the entering of submissions, against a Kaggle of our own."""

import json

import pytest

from kaggle_kernels.push.runs import last_error
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


RUN_LOG = [
    {"stream_name": "stdout", "time": 1.5, "data": "182 wheels: the image has 90\n"},
    {"stream_name": "stderr", "time": 2.5, "data": "ERROR: hashes are required\nerror: pip could not download x\n"},
    {"stream_name": "stderr", "time": 3.5, "data": "\x1b[0;31mSystemExit\x1b[0m: error: pip could not\n"},
]


def test_a_run_that_failed_is_told_with_the_last_error_of_its_log_and_a_command_prints_all(publish, server):
    server.run_log, server.kernel_statuses = json.dumps(RUN_LOG), ["ERROR"]
    said = "ended as ERROR: error: pip could not download x; just kernel-logs kernel=wheels shows all"
    assert said in failure(publish("push-wheels"))
    assert "pip could not download x" in failure(publish("kernel-status", "kernel=wheels"))
    outcome = publish("kernel-logs", "kernel=wheels")
    assert outcome.code == 0 and outcome.out.startswith("182 wheels: the image has 90\nERROR: hashes are required\n")
    server.run_log = ""
    assert "no log of malrule-wheels version 1 yet; its run is ERROR" in failure(
        publish("kernel-logs", "kernel=wheels")
    )


def test_the_last_error_of_a_log_is_ours_or_an_exceptions_or_none():
    assert last_error("Traceback (most recent call last):\n  x\nKeyError: 'a'\nsome more\n") == "KeyError: 'a'"
    assert last_error("error: no reranker\nSystemExit: error: no reranker\n") == "error: no reranker"
    assert last_error("torch.OutOfMemoryError: CUDA out of memory\n") == "torch.OutOfMemoryError: CUDA out of memory"
    assert last_error("all is well\n") == last_error("") == ""


def test_gpu_hours_and_what_still_runs_are_said_before_a_push_and_without_hours_none_is_made(publish, server, checkout):
    server.quota = {"gpuQuota": {"timeUsed": "90000s", "timeReserved": "3600s", "totalTimeAllowed": "108000s"}}
    server.quota["quotaRefreshTime"] = "2026-12-05T00:00:00Z"
    outcome = publish("push-wheels")
    # 108,000 - 90,000 = 18,000 s
    assert "GPU: 5.0 of 30 hours are left this week, renewed at 2026-12-05 00:00 UTC; runs hold 1.0" in outcome.out
    server.kernels["malrule-wheels"]["statuses"][1] = ["RUNNING", "COMPLETE"]
    assert all(publish(*command).code == 0 for command in (["push-code"], ["push-models", "iter=1"]))
    server.kernels["malrule-wheels"]["statuses"][1] = ["COMPLETE", "RUNNING"]
    assert "malrule-wheels still runs; Kaggle runs 2 GPU sessions" in publish("push-kernel", "iter=1").out
    server.kernels["malrule-wheels"]["statuses"][1] = ["COMPLETE"]
    server.quota["gpuQuota"]["timeUsed"] = "108000s"
    pushed = server.count("SaveKernel")
    assert publish("push-wheels").code == 0  # it is there already, and needs none
    (checkout / "kaggle_kernels/wheels/kernel.py").write_text("LOCK = ''\nprint('anew')\n", encoding="utf-8")
    assert "GPU: 0.0 of 30 hours are left" in failure(publish("push-wheels"))
    assert server.count("SaveKernel") == pushed


def test_a_source_package_among_the_wheels_is_refused_with_the_way_out(publish, server):
    server.output = ["vllm-0.1-py3-none-any.whl", "black-1.0.tar.gz"]
    assert "holds black-1.0.tar.gz, which would have to be built" in failure(publish("push-wheels"))


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
