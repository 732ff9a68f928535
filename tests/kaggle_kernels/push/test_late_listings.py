"""Guards pushes at a Kaggle whose listings are minutes behind, and with every order of a version's states.

In 80 sequences a write is carried out, mostly without an answer, and shows only minutes later.
"""

import itertools
import json
import random
import shutil
import socket

import pytest
import requests

from kaggle_kernels.api import retries
from kaggle_kernels.api.retries import Lost, Refused
from tests.kaggle_kernels.bad_luck import STEPS, Killed, check_dataset, run_until_done
from tests.kaggle_kernels.kaggle_checkout import failure, make_run
from tests.kaggle_kernels.kaggle_server import Version
from tests.kaggle_kernels.kaggle_storage import Fault

LAGS = (60, 200, 700, 1500)  # seconds; some are longer than one run looks, all are shorter than receipts.LAG_SECONDS
LOST = ("cut_after", "500_after", "half_after", "empty_after")
FIRST = (["push-code"], ["push-models", "iter=1"], ["push-wheels"], ["push-kernel", "iter=1"])


def _writes(server) -> list[int]:
    calls = ("CreateDataset", "CreateDatasetVersion", "SaveKernel", "CreateCodeSubmission", "StartBlobUpload")
    return [server.count(call) for call in calls]


@pytest.mark.parametrize("seed", range(40))
def test_a_dataset_whose_answer_is_lost_and_which_shows_late_is_sent_once(seed, server, publish, checkout, kill):
    draw = random.Random(f"late dataset {seed}")
    if past := draw.choice(["", "READY", "FAILED"]):
        server.datasets["malrule-code"] = {
            "private": True,
            "versions": [Version({"a": b""}, "", [past], 0)],
            "created": {},
        }
    call = "CreateDatasetVersion" if past else "CreateDataset"
    server.faults = [Fault(call, 0, draw.choice(LOST))] if draw.random() < 0.7 else []
    server.lags, server.files_lag = [draw.choice(LAGS)], draw.choice([0, 0, 90, 500])
    server.statuses = [[*draw.choices(STEPS, k=draw.randrange(3)), "READY"]]
    outcome = run_until_done(draw, publish, ["push-code"], kill)
    assert "malrule-code version" in outcome.out
    check_dataset(server, checkout, "malrule-code")
    assert server.count(call) == 1
    assert len(server.storage.completed()) == len(set(server.storage.completed()))
    before = _writes(server)
    assert "already there" in publish("push-code").out and _writes(server) == before


@pytest.mark.parametrize("seed", range(20))
def test_a_kernel_whose_answer_is_lost_and_which_shows_late_is_pushed_once(seed, server, publish, checkout, kill):
    draw = random.Random(f"late kernel {seed}")
    assert all(publish(*command).code == 0 for command in FIRST[:3])
    server.faults = [Fault("SaveKernel", 0, draw.choice(LOST))] if draw.random() < 0.7 else []
    server.lags = [draw.choice(LAGS)]
    run_until_done(draw, publish, ["push-kernel", "iter=1"], kill)
    assert len(server.kernels["malrule-submit"]["versions"]) == 1
    again = publish("push-kernel", "iter=1")  # the listing may still be behind what the lock says
    assert "version 1 is already there" in again.out and len(server.kernels["malrule-submit"]["versions"]) == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_submission_whose_answer_is_lost_and_which_shows_late_is_entered_once(seed, server, publish, checkout, kill):
    draw = random.Random(f"late submission {seed}")
    assert all(publish(*command).code == 0 for command in FIRST)
    server.faults = [Fault("CreateCodeSubmission", 0, draw.choice(LOST))] if draw.random() < 0.7 else []
    server.lags = [draw.choice(LAGS)]
    run_until_done(draw, publish, ["submit"], kill)
    assert len(server.submissions) == 1
    record = json.loads((checkout / "runs/iter1/full/submission.json").read_text(encoding="utf-8"))
    assert (record["ref"], record["public_score"]) == (1, "0.505")


def _train_again(checkout, size: int) -> None:
    shutil.rmtree(checkout / "runs/iter1/full")
    make_run(checkout / "runs/iter1/full", random.Random(f"again {size}"), size)


@pytest.mark.parametrize("size", [3000, 3100])  # of the new models: as large as the old ones, and larger
def test_a_version_that_is_described_by_the_one_before_is_waited_for_and_sent_once(size, server, publish, checkout):
    assert publish("push-models", "iter=1").code == 0
    _train_again(checkout, size)
    server.stale = 2 * 3600.0
    outcome = publish("push-models", "iter=1")
    assert outcome.code == 0, outcome.err
    assert {len(dataset["versions"]) for dataset in server.datasets.values()} == {2}
    assert publish.clock.now() - 1.8e9 > 2 * 3600
    check_dataset(server, checkout, "malrule-iter1-reranker")


def test_when_the_wait_is_over_the_next_run_looks_on_and_sends_nothing(server, publish, checkout, kill):
    assert publish("push-code").code == 0
    (checkout / "shared/a.py").write_text("A = 2\n", encoding="utf-8")
    server.stale = 3 * 3600.0
    for _ in range(2):
        said = failure(publish("push-code", "wait=3600"))
        assert "Kaggle has version 2 of malrule-code and does not describe it yet" in said
        assert said.endswith("run the same command again to go on looking; nothing is sent again")
    kill(3, True)
    with pytest.raises(Killed):
        publish("push-code")
    kill(-1, False)
    sent = server.storage.sent_bytes
    assert publish("push-code").code == 0 and server.storage.sent_bytes == sent
    assert server.count("CreateDatasetVersion") == 1


def test_a_version_whose_listing_is_of_neither_is_sent_anew(server, publish, checkout):
    assert publish("push-code").code == 0
    (checkout / "shared/a.py").write_text("A = 2\n", encoding="utf-8")
    server.faults = [Fault("PUT", 0, "lie")]  # storage loses a byte, and says that all is there
    assert "version 2 of malrule-code is not what was sent" in failure(publish("push-code"))
    assert publish("push-code").code == 0 and server.count("CreateDatasetVersion") == 2


def test_the_failure_of_the_version_before_is_not_taken_for_the_new_ones(server, publish, checkout):
    server.statuses = [["FAILED"]]
    assert "could not process it (FAILED)" in failure(publish("push-code"))
    server.stale = 1200.0  # the new number shows at once, and beside it the old FAILED
    assert publish("push-code").code == 0
    assert server.count("CreateDatasetVersion") == 1


def test_a_version_that_fails_after_it_looked_ready_is_a_failure(server, publish, checkout):
    assert publish("push-code").code == 0
    (checkout / "shared/a.py").write_text("A = 2\n", encoding="utf-8")
    server.stale, server.statuses = 1200.0, [["BLOBS_RECEIVED", "FAILED"]]  # READY of version 1 is shown before it
    assert "could not process it (FAILED)" in failure(publish("push-code"))


def test_a_write_that_nobody_knows_the_end_of_is_told_with_the_time_and_both_ways_out(server, publish):
    server.faults = [Fault("CreateDataset", 0, "cut")]  # it never was carried out
    said = failure(publish("push-code"))
    assert "Kaggle gave no answer when malrule-code was sent at 2027-01-15T08:00:00+00:00" in said
    assert "from 2027-01-15T08:30:00+00:00 on, or with --again, it is sent once more" in said
    assert "gave no answer" in failure(publish("push-code")) and server.count("CreateDataset") == 1
    assert publish("push-code", "--again").code == 0
    assert server.count("CreateDataset") == 2 and len(server.newest("malrule-code").files) == 5
    assert len(server.storage.completed()) == 5  # the bytes themselves travelled once


def test_what_never_was_carried_out_is_sent_again_after_half_an_hour(server, publish):
    server.faults = [Fault("CreateDataset", 0, "cut")]
    for _ in range(2):
        assert "gave no answer" in failure(publish("push-code"))
    publish.clock.sleep(1800)
    assert publish("push-code").code == 0 and server.count("CreateDataset") == 2


@pytest.mark.parametrize("proxies", [{}, {"http": "http://127.0.0.1:1"}])  # nobody listens on port 1
def test_a_write_that_found_no_connection_was_not_sent(proxies):
    with pytest.raises(Refused, match="Kaggle cannot be reached, so dataset x was not sent"):
        retries.write_once("dataset x", lambda: requests.post("http://127.0.0.1:1/", proxies=proxies, timeout=5))


def test_a_write_into_a_connection_that_falls_silent_may_have_been_carried_out():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(Lost, match="no clear answer from Kaggle about dataset x"):
            retries.write_once("dataset x", lambda: requests.post(address, proxies={"http": ""}, timeout=0.2))


@pytest.mark.parametrize("last", ["READY", "FAILED"])
def test_every_order_of_states_ends_as_the_last_one_says(last, server, publish, checkout):
    orders = [order for count in range(3) for order in itertools.permutations(STEPS, count)]
    assert len(orders) == 1 + 7 + 42
    for number, order in enumerate(orders):
        server.reset()
        for path in [*checkout.glob("datasets_meta/*.lock.json"), *checkout.glob(".cache/kaggle/*/push.json")]:
            path.unlink()
        server.now, server.statuses = publish.clock.now, [[*order, last]]
        outcome = publish("push-code")
        assert (outcome.code == 0) is (last == "READY"), (number, order, outcome)
        assert ("version 1 is there" in outcome.out) is (last == "READY")
        if last == "FAILED":
            assert "could not process it (FAILED)" in failure(outcome)
        assert server.count("CreateDataset") == 1
