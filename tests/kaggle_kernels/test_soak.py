"""Guards a whole release through sequences of trouble: a server that lags, fails, cancels, signs out and lies by pages.

    MALRULE_SEQUENCES=400 python -m tests.kaggle_kernels.test_soak    # all of them, and a table of tried and wrong

Every run of the command either succeeds or ends in one sentence and 1; nothing is uploaded, pushed or entered twice
without need; and once the server is sound the repeated command succeeds.
"""

import collections
import itertools
import json
import os
import random
import sys

import pytest

from tests.kaggle_kernels.bad_luck import (
    CALL_FAULTS,
    DATASET_CALLS,
    PUT_FAULTS,
    STEPS,
    Killed,
    check_dataset,
    check_sentence,
)
from tests.kaggle_kernels.kaggle_storage import Fault

SEQUENCES = int(os.environ.get("MALRULE_SEQUENCES", "40"))
BAD_RUNS, SOUND_RUNS = 6, 8  # of the command, while the server is bad, and until it must succeed afterwards
CALLS = (
    *DATASET_CALLS,
    "GetKernel",
    "SaveKernel",
    "GetKernelSessionStatus",
    "ListKernelSessionOutput",
    "GetSubmissionLimits",
    "CreateCodeSubmission",
    "ListSubmissions",
)
SLUGS = ("malrule-code", "malrule-iter1-embedder", "malrule-iter1-reranker")


class World:
    """One sequence's trouble: what is drawn before each run, and how it ends."""

    def __init__(self, draw: random.Random, server, home) -> None:
        self.draw, self.server, self.home = draw, server, home

    def lags(self) -> None:
        """Writes show late, versions are described by the one before, files are listed bit by bit."""
        draw, server = self.draw, self.server
        server.lags = [draw.choice([0, 0, 60, 200, 700, 1500]) for _ in range(6)]
        server.stales = [draw.choice([0, 20, 300, 2000, 9000]) for _ in range(4)]
        server.files_lag = draw.choice([0, 0, 90, 500])
        server.statuses = [[*draw.choices(STEPS, k=draw.randrange(4)), "READY"] for _ in range(4)]
        server.hidden = [draw.choice([0, 0, 1, 3]) for _ in range(4)]

    def fails(self) -> None:
        """Calls and uploads break, and versions cannot be processed."""
        draw, server = self.draw, self.server
        for _ in range(draw.randrange(1, 5)):
            skip, times = draw.randrange(4), draw.choice([1, 1, 2, 9])
            server.faults.append(Fault(draw.choice(CALLS), skip, draw.choice(CALL_FAULTS), times))
        for _ in range(draw.randrange(3)):
            kind, times = draw.choice(PUT_FAULTS), draw.choice([1, 1, 2, 12])
            server.faults.append(Fault("PUT", draw.randrange(6), kind, times, draw.randrange(3000)))
        server.statuses = [["BLOBS_RECEIVED", draw.choice(["READY", "READY", "FAILED"])] for _ in range(4)]

    def cancels(self) -> None:
        """Runs and submissions end badly, and sources are dropped."""
        draw, server = self.draw, self.server
        ends = ["COMPLETE", "ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED"]
        server.kernel_statuses = [*draw.choices(["QUEUED", "RUNNING"], k=draw.randrange(3)), draw.choice(ends)]
        server.score_statuses = ["PENDING", draw.choice(["ERROR", "COMPLETE"])]
        server.joined = draw.random() < 0.8

    def signs_out(self) -> None:
        """Logins expire on the way, at times beyond renewal, beside a token that expired long ago."""
        draw, server = self.draw, self.server
        server.tokens.clear()
        server.keys, server.lifetime = set(), draw.choice([5, 60, 900])
        server.refresh = {"refresh-1"} if draw.random() < 0.7 else set()
        login = {"refresh_token": "refresh-1", "access_token": "access-0", "username": "alice", "scopes": []}
        login["access_token_expiration"] = "2099-01-01T00:00:00+00:00"
        (self.home / ".kaggle").mkdir(parents=True, exist_ok=True)
        (self.home / ".kaggle/credentials.json").write_text(json.dumps(login), encoding="utf-8")
        if draw.random() < 0.5:
            (self.home / ".kaggle/access_token").write_text("expired", encoding="utf-8")

    def lies_by_pages(self) -> None:
        """Listings go in circles, or on and on without an entry."""
        draw = self.draw
        self.server.page_lies = [draw.choice(["", "", "empty", "circle"]) for _ in range(draw.randrange(1, 12))]
        if draw.random() < 0.3:
            self.server.page_lies = ["empty"] * 40

    def is_sound(self) -> None:
        """From now on the server does what it should; what it did before stays done."""
        server = self.server
        server.faults, server.page_lies, server.lags, server.stales, server.files_lag = [], [], [], [], 0.0
        server.statuses, server.hidden, server.joined, server.left = [], [], True, 9
        server.kernel_statuses, server.score_statuses = ["RUNNING", "COMPLETE"], ["PENDING", "COMPLETE"]
        server.refresh, server.keys, server.lifetime = {"refresh-1"}, None, 43200


KINDS = {
    "lags": ["lags"],
    "fails": ["fails"],
    "cancels": ["cancels"],
    "signs out": ["signs_out"],
    "lies by pages": ["lies_by_pages"],
    "everything": ["lags", "fails", "cancels", "signs_out", "lies_by_pages"],
}


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_a_release_ends_well_once_the_server_is_sound(seed, server, publish, checkout, kill, monkeypatch):
    kind = list(KINDS)[seed % len(KINDS)]
    draw, home = random.Random(f"soak {seed}"), checkout / "home"
    monkeypatch.setenv("HOME", str(home))
    world, done = World(draw, server, home), False
    server.left = 9
    for _ in range(BAD_RUNS):
        for trouble in draw.sample(KINDS[kind], draw.randrange(1, len(KINDS[kind]) + 1)):
            getattr(world, trouble)()
        kill(draw.randrange(1, 60) if draw.random() < 0.25 else -1, draw.random() < 0.5)
        done = _run(publish, draw) or done
    kill(-1, False)
    world.is_sound()
    assert any(_run(publish, draw) for _ in range(SOUND_RUNS)), f"{kind}: no success after the server is sound"
    _check_truth(server, checkout)
    before = _writes(server)
    outcome = publish("release", "iter=1")
    assert outcome.code == 0 and _writes(server) == before, f"{kind}: a repeated release writes again"


def _run(publish, draw: random.Random) -> bool:
    """Whether one run of the command succeeded; somebody who reads its sentence does what that says."""
    hint = []
    for _ in range(2):
        try:
            outcome = publish("release", "iter=1", "wait=3600", *hint)
        except Killed:
            return False
        if outcome.code == 0:
            return True
        check_sentence(outcome, "release")
        publish.clock.sleep(draw.choice([1, 60, 900]))  # seconds until somebody tries again
        if "--again enters" not in outcome.err:
            return False
        hint = ["--again"]
    return False


def _writes(server) -> list[int]:
    calls = ("CreateDataset", "CreateDatasetVersion", "SaveKernel", "CreateCodeSubmission", "StartBlobUpload")
    return [server.count(call) for call in calls]


def _check_truth(server, checkout) -> None:
    for slug in SLUGS:
        check_dataset(server, checkout, slug)
    arrived = collections.Counter(server.storage.completed())
    assert all(count <= 1 + server.storage.anew for count in arrived.values()), f"sent without need: {arrived}"
    for slug in ("malrule-wheels", "malrule-submit"):
        _check_pushes(server.kernels[slug])
    *failed, last = [one["statuses"][-1] for one in server.submissions]
    assert last == "COMPLETE" and set(failed) <= {"ERROR"}, f"submissions that ended as {failed}, {last}"
    record = json.loads((checkout / "runs/iter1/full/submission.json").read_text(encoding="utf-8"))
    assert (record["ref"], record["version"]) == (len(server.submissions), server.submissions[-1]["kernelVersion"])


def _check_pushes(kernel: dict) -> None:
    """Every version behind which another one came ended badly, lacked a source, or mounted other datasets."""
    versions = kernel["versions"]
    for number, (one, following) in enumerate(itertools.pairwise(versions), start=1):
        badly = kernel["statuses"][number][-1] != "COMPLETE"
        assert badly or one != following, f"version {number} ran well and was pushed once more"
    assert kernel["statuses"][len(versions)][-1] == "COMPLETE"


class Tally:
    """A plugin of pytest that counts sequences by their kind."""

    def __init__(self) -> None:
        self.tried, self.wrong = collections.Counter(), collections.Counter()

    def pytest_runtest_logreport(self, report) -> None:
        if report.when == "call" or report.failed:
            kind = list(KINDS)[int(report.nodeid.rpartition("[")[2].rstrip("]")) % len(KINDS)]
            self.tried[kind] += report.when == "call"
            self.wrong[kind] += report.failed

    def __str__(self) -> str:
        rows = [f"| {kind} | {self.tried[kind]} | {self.wrong[kind]} |" for kind in KINDS]
        total = f"| together | {self.tried.total()} | {self.wrong.total()} |"
        return "\n".join(["| the server | tried | wrong |", "|---|---|---|", *rows, total])


if __name__ == "__main__":
    os.environ.setdefault("MALRULE_SEQUENCES", "400")
    tally = Tally()
    status = pytest.main(["-q", "-p", "no:cacheprovider", __file__], plugins=[tally])
    print(tally)
    sys.exit(status)
