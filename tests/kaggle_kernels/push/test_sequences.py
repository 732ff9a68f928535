"""Guards what a push promises, through 240 sequences of bad luck: nothing twice, nothing lost, no false success.

Every sequence draws what is at Kaggle before, what breaks and when, and how long processing takes; then one command is
run until it succeeds, as a person would, and the server's truth is compared with what the command said.
"""

import json
import random

import pytest

from tests.kaggle_kernels.bad_luck import (
    CALL_FAULTS,
    DATASET_CALLS,
    PUT_FAULTS,
    RUNS,
    STEPS,
    Killed,
    check_dataset,
    check_sentence,
    run_until_done,
)
from tests.kaggle_kernels.kaggle_server import Version
from tests.kaggle_kernels.kaggle_storage import Fault


@pytest.mark.parametrize("seed", range(140))
def test_a_push_of_datasets_ends_well_whatever_breaks(seed, server, publish, checkout, kill):
    draw = random.Random(f"datasets {seed}")
    command = ["push-code"] if seed % 2 else ["push-models", "iter=1"]
    slugs = ["malrule-code"] if seed % 2 else ["malrule-iter1-embedder", "malrule-iter1-reranker"]
    for slug in slugs:
        _draw_past(draw, server, slug)
    _draw_faults(draw, server)
    for _ in range(RUNS):
        kill(draw.randrange(1, 25) if draw.random() < 0.15 else -1, draw.random() < 0.5)
        try:
            outcome = publish(*command)
        except Killed:
            continue
        if outcome.code == 0:
            break
        check_sentence(outcome, command[0])
        publish.clock.sleep(draw.choice([60, 900]))  # seconds until somebody tries again
    else:
        raise AssertionError(f"seed {seed}: no success in {RUNS} runs: {outcome.err}; left: {server.faults}")
    for slug in slugs:
        check_dataset(server, checkout, slug)
    counts = {key: server.storage.completed().count(key) for key in server.storage.completed()}
    assert all(count <= 1 + server.storage.anew for count in counts.values()), f"sent again without need: {counts}"
    calls = server.count("CreateDataset") + server.count("CreateDatasetVersion")
    kill(-1, False)
    server.faults.clear()
    again = publish(*command)
    assert again.code == 0, again.err
    assert again.out.count("already there") == len(slugs)
    assert server.count("CreateDataset") + server.count("CreateDatasetVersion") == calls


def _draw_past(draw: random.Random, server, slug: str) -> None:
    """Nothing, an older version, one that failed, or one that is still being processed."""
    past = draw.choice(["nothing", "nothing", "older", "failed", "processing"])
    statuses = {
        "older": ["READY"],
        "failed": ["FAILED"],
        "processing": [draw.choice(STEPS), draw.choice(STEPS), "READY"],
    }
    if past != "nothing":
        versions = [Version({"old.txt": b"old"}, "", ["READY"], 0) for _ in range(draw.randrange(3))]
        versions.append(Version({"old.txt": b"older"}, "", statuses[past], 0))
        server.datasets[slug] = {"private": True, "versions": versions, "created": {}}


def _draw_faults(draw: random.Random, server) -> None:
    for _ in range(draw.randrange(5)):
        kind = draw.choice(CALL_FAULTS)
        amount = draw.choice([0, 0, 7]) if kind == "429" else 0
        server.faults.append(
            Fault(draw.choice(DATASET_CALLS), draw.randrange(4), kind, draw.choice([1, 1, 2, 9]), amount)
        )
    for _ in range(draw.randrange(4)):
        server.faults.append(
            Fault("PUT", draw.randrange(6), draw.choice(PUT_FAULTS), draw.choice([1, 1, 2, 12]), draw.randrange(3000))
        )
    for _ in range(3):
        steps = [draw.choice(STEPS) for _ in range(draw.randrange(5))]
        server.statuses.append([*steps, "FAILED" if draw.random() < 0.15 else "READY"])
        server.hidden.append(draw.choice([0, 0, 1, 3, 6]))


KERNEL_CALLS = (
    "GetKernel",
    "SaveKernel",
    "SaveKernel",
    "GetKernelSessionStatus",
    "ListKernelSessionOutput",
    "GetDataset",
    "GetDatasetStatus",
)
KERNEL_STEPS = ("QUEUED", "RUNNING", "NEW_SCRIPT", "SLEEPING")


@pytest.mark.parametrize("seed", range(60))
def test_a_kernel_is_pushed_once_whatever_breaks(seed, server, publish, checkout, kill):
    draw = random.Random(f"kernels {seed}")
    assert publish("push-code").code == publish("push-models", "iter=1").code == 0
    for _ in range(draw.randrange(6)):
        server.faults.append(
            Fault(draw.choice(KERNEL_CALLS), draw.randrange(4), draw.choice(CALL_FAULTS), draw.choice([1, 1, 2, 9]))
        )
    server.kernel_statuses = [*[draw.choice(KERNEL_STEPS) for _ in range(draw.randrange(4))], "COMPLETE"]
    for command in (["push-wheels"], ["push-kernel", "iter=1"]):
        run_until_done(draw, publish, command, kill)
    for slug in ("malrule-wheels", "malrule-submit"):
        versions = server.kernels[slug]["versions"]
        assert len(versions) == 1, f"{slug} was pushed {len(versions)} times"
        assert versions[0]["isPrivate"] is True
        assert (
            json.loads((checkout / "datasets_meta" / f"{slug}.lock.json").read_text(encoding="utf-8"))["version"] == 1
        )
    newest = server.kernels["malrule-submit"]["versions"][-1]
    assert newest["enableInternet"] is False
    sources = json.loads(newest["text"].splitlines()[0].removeprefix("SOURCES = "))
    assert {slug: len(server.datasets[slug]["versions"]) for slug in sources} == {
        slug: source["version"] for slug, source in sources.items()
    }


@pytest.mark.parametrize("seed", range(40))
def test_a_version_is_submitted_once_whatever_breaks(seed, server, publish, checkout, kill):
    draw = random.Random(f"submissions {seed}")
    assert all(
        publish(*command).code == 0
        for command in (["push-code"], ["push-models", "iter=1"], ["push-wheels"], ["push-kernel", "iter=1"])
    )
    calls = (
        "GetKernelSessionStatus",
        "ListKernelSessionOutput",
        "GetSubmissionLimits",
        "CreateCodeSubmission",
        "ListSubmissions",
    )
    for _ in range(draw.randrange(6)):
        server.faults.append(
            Fault(draw.choice(calls), draw.randrange(3), draw.choice(CALL_FAULTS), draw.choice([1, 1, 2, 9]))
        )
    server.score_statuses = [*["PENDING"] * draw.randrange(4), "COMPLETE"]
    outcome = run_until_done(draw, publish, ["submit"], kill)
    assert len(server.submissions) == 1, f"{len(server.submissions)} submissions"
    assert "public 0.505" in outcome.out
    record = json.loads((checkout / "runs/iter1/full/submission.json").read_text(encoding="utf-8"))
    assert (record["ref"], record["version"], record["public_score"]) == (1, 1, "0.505")


def test_a_release_killed_at_every_message_ends_with_everything_there_once(server, publish, checkout, kill):
    moment = 0
    while True:  # each run dies one message later than the one before, so all of them are tried
        moment += 1
        kill(moment, moment % 2 == 0)
        try:
            outcome = publish("release", "iter=1")
        except Killed:
            continue
        if outcome.code == 0:
            break
        check_sentence(outcome, "release")
    assert moment > 20
    for slug in ("malrule-code", "malrule-iter1-embedder", "malrule-iter1-reranker"):
        check_dataset(server, checkout, slug)
    assert [len(kernel["versions"]) for kernel in server.kernels.values()] == [1, 1]
    assert len(server.submissions) == 1
    assert len(server.storage.completed()) == len(set(server.storage.completed()))
