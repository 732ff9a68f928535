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
        ({"dataset_sources": ["datasets/alice/malrule-code"]}, "'datasets/alice/malrule-code' must be OWNER/SLUG"),
        ({"dataset_sources": ["datasets/malrule-code"]}, "'datasets/malrule-code' must be OWNER/SLUG"),
        ({"dataset_sources": ["alice/malrule-code/3"]}, "'alice/malrule-code/3' must be OWNER/SLUG, without a prefix"),
        (
            {"kernel_sources": ["code/alice/malrule-wheels"]},
            "kernel_sources 'code/alice/malrule-wheels' must be OWNER/",
        ),
        ({"kernel_sources": ["alice/malrule-wheels:v3"]}, "must be OWNER/SLUG, without a prefix or a version"),
        ({"competition_sources": ["c/eedi"]}, "'c/eedi' must be the competition's name alone"),
        ({"competition_sources": ["competitions/eedi"]}, "must be the competition's name alone"),
        ({"model_sources": ["qwen/qwen2.5/transformers/14b"]}, "must be OWNER/MODEL/FRAMEWORK/VARIATION/NUMBER"),
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


def test_every_question_about_a_version_names_it_as_kaggle_does(publish, server):
    assert publish("release", "iter=1").code == publish("kernel-status").code == 0
    asked = [body["versionLabel"] for _, body in server.log if "versionLabel" in body]
    assert set(asked) == {"v1"} and len(asked) > 4
    run = {"userName": "alice", "kernelSlug": "malrule-submit"}
    for call in ("GetKernel", "GetKernelSessionStatus", "ListKernelSessionOutput", "ListKernelFiles"):
        assert [server.answer(call, run | {"versionLabel": label})[0] for label in ("1", "v1", "v2")] == [404, 200, 404]


@pytest.mark.parametrize("ended", ["ERROR", "CANCEL_ACKNOWLEDGED"])
def test_a_run_of_the_wheels_that_failed_is_begun_once_more_by_the_same_command(ended, publish, server):
    server.kernel_statuses = [ended]
    said = failure(publish("push-wheels"))
    assert f"ended as {ended}: " in said and "; just push-wheels runs it once more" in said
    assert f"its run ended as {ended}: the same would be pushed" in publish("push-wheels", "--dry-run").out
    server.kernel_statuses = ["COMPLETE"]
    for command in (["push-wheels"], ["push-wheels"], ["push-wheels", "--again"]):
        assert publish(*command).code == 0
    assert len(server.kernels["malrule-wheels"]["versions"]) == 2


def test_a_release_whose_run_failed_goes_on_with_a_new_version_and_enters_that(publish, server):
    assert publish("push-wheels").code == 0
    server.kernel_statuses = ["RUNNING", "ERROR"]
    assert "just push-kernel iter=1 runs it once more" in failure(publish("release", "iter=1"))
    server.kernel_statuses = ["RUNNING", "COMPLETE"]
    assert publish("release", "iter=1").code == 0
    assert [body["kernelVersion"] for body in server.submissions] == [2]
    assert len(server.kernels["malrule-wheels"]["versions"]) == 1


def test_a_run_that_left_nothing_of_use_is_begun_once_more(publish, server):
    server.output = ["log.txt"]
    assert "left no wheels: just kernel-logs kernel=wheels shows why, and the same command runs it" in failure(
        publish("push-wheels")
    )
    assert publish("push-wheels").code == 1 and len(server.kernels["malrule-wheels"]["versions"]) == 2


def test_a_failed_run_that_is_begun_again_without_an_answer_is_begun_once(publish, server):
    server.kernel_statuses = ["ERROR"]
    assert publish("push-wheels").code == 1
    server.kernel_statuses = ["COMPLETE"]
    server.faults, server.lags = [Fault("SaveKernel", 0, "cut_after")], [700]
    assert "gave no answer" in failure(publish("push-wheels"))
    publish.clock.sleep(900)
    assert publish("push-wheels").code == 0
    assert len(server.kernels["malrule-wheels"]["versions"]) == 2


def test_a_submission_that_failed_is_entered_once_more_when_that_is_said(publish, server, checkout):
    server.score_statuses = ["PENDING", "ERROR"]
    assert "just submit --again enters the same version once more" in failure(publish("release", "iter=1"))
    assert "submission 1 failed at Kaggle" in failure(publish("submit")) and len(server.submissions) == 1
    assert "nothing would be sent unless --again is said" in publish("submit", "--dry-run").out
    assert "submission 2 failed at Kaggle" in failure(publish("submit", "--again"))
    server.score_statuses = ["PENDING", "COMPLETE"]
    server.faults, server.lags = [Fault("CreateCodeSubmission", 0, "cut_after")], [100]
    assert "submission 3 of malrule-submit version 1: public 0.505" in publish("submit", "--again").out
    assert "submission 3 of malrule-submit version 1" in publish("submit", "--again").out
    assert len(server.submissions) == 3


@pytest.mark.parametrize("command", ["push-kernel", "release"])
def test_a_kernel_that_reads_the_competition_is_never_public(command, publish, server):
    said = failure(publish(command, "iter=1", "--public"))
    assert "a public kernel would publish what it reads of eedi-mining" in said and "without --public" in said
    assert not server.kernels and not server.blobs


def test_a_version_that_kaggle_does_not_know_for_half_an_hour_is_pushed_again(publish, server):
    assert publish("push-wheels").code == 0
    server.kernels.clear()
    publish.clock.sleep(1801)
    assert "Kaggle has no version 1 of malrule-wheels: just push-wheels" in failure(
        publish("kernel-status", "kernel=wheels")
    )
    assert publish("push-wheels").code == 0


@pytest.mark.parametrize("answer", ["there", "lost"])
def test_a_competition_that_was_not_joined_is_said_with_the_page_of_its_rules(answer, publish, server):
    assert publish("push-code").code == publish("push-models", "iter=1").code == publish("push-wheels").code == 0
    server.joined = False
    server.faults = [Fault("SaveKernel", 0, "cut_after")] if answer == "lost" else []
    said = failure(publish("push-kernel", "iter=1"))
    assert "join it and accept its rules at https://www.kaggle.com/competitions/eedi-mining-misconceptions-in-" in said
    server.joined = True
    assert publish("push-kernel", "iter=1").code == 0


def test_an_empty_answer_about_a_runs_output_begins_no_run(publish, server):
    assert publish("push-wheels").code == 0
    server.faults = [Fault("ListKernelSessionOutput", 0, "empty_after")]
    assert "Kaggle says nothing about the output of kernel malrule-wheels" in failure(publish("push-wheels"))
    assert publish("push-wheels").code == 0 and len(server.kernels["malrule-wheels"]["versions"]) == 1


def test_an_empty_answer_about_a_kernel_or_the_submissions_sends_nothing_again(publish, server):
    assert publish("release", "iter=1").code == 0
    publish.clock.sleep(3600)
    server.faults = [Fault("GetKernel", 0, "empty_after", 9)]
    assert "it says nothing of the kernel" in failure(publish("push-wheels"))
    server.faults = [Fault("ListSubmissions", 0, "empty_after", 9)]
    assert publish("submit").code == 0
    assert (server.count("SaveKernel"), server.count("CreateCodeSubmission")) == (2, 1)


def test_a_score_that_was_written_down_by_hand_hinders_no_submission(publish, server, checkout):
    assert publish("push-code").code == publish("push-models", "iter=1").code == publish("push-wheels").code == 0
    (checkout / "runs/iter1/full/submission.json").write_text('{"public_score": "0.5"}', encoding="utf-8")
    assert publish("push-kernel", "iter=1").code == publish("submit").code == 0
    assert len(server.submissions) == 1
