"""What the sequences of bad luck share: faults to draw from, a command run until it succeeds, what must hold then."""

import hashlib
import json
import random
from pathlib import Path

from shared.artifacts.manifest import read_manifest
from tests.kaggle_kernels.kaggle_server import OWNER

RUNS = 200  # of one command; every script ends after fewer
CALL_FAULTS = (
    "429",
    "500",
    "503",
    "403",
    "404",
    "cut",
    "portal",
    "cut_after",
    "500_after",
    "half_after",
    "empty_after",
)
DATASET_CALLS = (
    "GetDatasetStatus",
    "GetDataset",
    "ListDatasetFiles",
    "DownloadDataset",
    "StartBlobUpload",
    "CreateDataset",
    "CreateDatasetVersion",
)
PUT_FAULTS = ("cut", "cut_after", "503", "429", "500", "gone", "half", "lie")
STEPS = (
    "NOT_YET_PERSISTED",
    "BLOBS_RECEIVED",
    "BLOBS_DECOMPRESSED",
    "BLOBS_COPIED_TO_SDS",
    "INDIVIDUAL_BLOBS_COMPRESSED",
    "REPROCESSING",
    "PENDING",
)


class Killed(BaseException):
    """What a kill -9 leaves: nothing runs after it but the release of file locks."""


def run_until_done(draw: random.Random, publish, command: list[str], kill):
    for _ in range(RUNS):
        kill(draw.randrange(1, 8) if draw.random() < 0.2 else -1, draw.random() < 0.5)
        try:
            outcome = publish(*command)
        except Killed:
            continue
        if outcome.code == 0:
            kill(-1, False)
            return outcome
        check_sentence(outcome, command[0])
        publish.clock.sleep(draw.choice([60, 900]))  # seconds until somebody tries again
    raise AssertionError(f"no success of {command} in {RUNS} runs: {outcome.err}")


def check_sentence(outcome, verb: str) -> None:
    """The last line says what went wrong, nothing but progress stands before it, and no upload's address or token."""
    *progress, last = outcome.err.splitlines()
    assert last.startswith(f"{verb}: "), outcome.err
    assert all(line.startswith("  ") for line in progress), outcome.err
    assert "localhost/upload" not in outcome.err and "token-" not in outcome.err, outcome.err


def check_dataset(server, checkout: Path, slug: str) -> None:
    """What Kaggle has is READY, private, and the very bytes that were staged, made once; the lock says so."""
    staged = checkout / ".cache/kaggle" / slug / "files"
    here = {path.relative_to(staged).as_posix(): path.read_bytes() for path in staged.rglob("*") if path.is_file()}
    newest = server.newest(slug)
    assert newest.files == here
    assert (newest.statuses, newest.hidden <= 0, server.datasets[slug]["private"]) == (["READY"], True, True)
    good = [
        version
        for version in server.datasets[slug]["versions"]
        if version.files == here and version.statuses == ["READY"]
    ]
    assert len(good) == 1, f"{len(good)} versions with the same files"
    lock = json.loads((checkout / "datasets_meta" / f"{slug}.lock.json").read_text(encoding="utf-8"))
    assert (lock["version"], lock["owner"]) == (len(server.datasets[slug]["versions"]), OWNER)
    assert lock["files"] == {name: len(data) for name, data in here.items()}
    table = json.dumps(read_manifest(staged)["files"], sort_keys=True, separators=(",", ":"))
    assert lock["digest"] == hashlib.sha256(table.encode()).hexdigest()
    assert not (checkout / ".cache/kaggle" / slug / "push.json").exists()
