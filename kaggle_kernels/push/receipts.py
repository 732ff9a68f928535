"""Keeps what was sent to Kaggle: small JSON files that are whole or absent, and a lock against two runs at once.

datasets_meta/<slug>.lock.json, committed, says what is there; .cache/kaggle/<slug>/push.json what is under way.
"""

import contextlib
import datetime
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

LOCKS = Path("datasets_meta")
CACHE = Path(".cache/kaggle")  # git-ignored; holds upload addresses, which are secrets for a week
LAG = 1800.0  # seconds that Kaggle's listings may be behind; after them a write without an answer did not happen


def read_record(path: Path) -> dict:
    """The object in `path`; {} where there is none, or where a kill left half of one."""
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(path: Path, record: dict, mode: int = 0o600) -> None:
    """Write `record`; the file is the old or the new one at every moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(json.dumps(record, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def lock_of(slug: str, owner: str) -> dict:
    """The committed lock of what `owner` has at Kaggle under `slug`, {} without one. ValueError for a broken one."""
    path = LOCKS / f"{slug}.lock.json"
    if not path.is_file():
        return {}
    try:
        lock = json.loads(path.read_text())
        sound = type(lock["version"]) is int and isinstance(lock["digest"], str)
        datetime.datetime.fromisoformat(lock["time"])
    except (ValueError, KeyError, TypeError):  # two people's locks in one file after a merge, say
        sound = False
    if not sound:
        raise ValueError(f"{path} is no lock of this version: take it from git, or delete it")
    return lock if lock.get("owner") == owner else {}


def write_lock(slug: str, lock: dict, now: float) -> None:
    write_record(LOCKS / f"{slug}.lock.json", {**lock, "time": iso(now)}, mode=0o644)


def is_fresh(lock: dict, now: float) -> bool:
    """Whether `lock` was written so short a time ago that Kaggle may still list what was there before."""
    return bool(lock) and now - datetime.datetime.fromisoformat(lock["time"]).timestamp() < LAG


def iso(now: float) -> str:
    return datetime.datetime.fromtimestamp(now, datetime.UTC).isoformat(timespec="seconds")


class Pending:
    """What is under way with one content, `digest`, saved after each change; of another one only the files serve."""

    def __init__(self, path: Path, digest: str) -> None:
        record = read_record(path)
        same = record.get("digest") == digest
        self._path, self._digest = path, digest
        self.sent: dict | None = record.get("sent") if same else None  # {previous: version before, time, answered}
        self.blobs: dict[str, dict] = {} if record.get("sent") and not same else record.get("blobs", {})

    def keep(self, key: str, blob: dict) -> None:
        self.blobs[key] = blob
        self._save()

    def sending(self, previous: int, time: float, answered: bool) -> None:
        """To be called before a write goes out (answered: False), and when its answer is there."""
        self.sent = {"previous": previous, "time": time, "answered": answered}
        self._save()

    def not_sent(self) -> None:
        self.sent = None
        self._save()

    def forget(self) -> None:
        self.sent, self.blobs = None, {}
        self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        write_record(self._path, {"digest": self._digest, "sent": self.sent, "blobs": self.blobs})


def forget_unanswered() -> None:
    """Take everything that was sent without an answer for not carried out: somebody has looked, and says so."""
    for path in CACHE.glob("*/push.json"):
        record = read_record(path)
        if record.get("sent") and not record["sent"]["answered"]:
            write_record(path, {**record, "sent": None})


def unanswered(what: str, pending: Pending) -> str:
    """The sentence for a write that nobody knows the end of."""
    sent = pending.sent["time"]
    return (
        f"Kaggle gave no answer when {what} was sent at {iso(sent)}, and does not show it yet: run the same command"
        f" again to go on looking; from {iso(sent + LAG)} on, or with --again, it is sent once more"
    )


@contextlib.contextmanager
def alone(slug: str) -> Iterator[Path]:
    """The folder for what is under way with `slug`, for this process only. ValueError while another one has it."""
    folder = CACHE / slug
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "alone", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another command is at work on {slug}: wait for it, or stop it") from None
        yield folder
