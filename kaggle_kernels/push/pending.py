"""Keeps what is under way with a push, in .cache/kaggle/<slug>/push.json, and lets one command at a time work on it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from kaggle_kernels.package.json_models import STRICT, parse_json
from kaggle_kernels.package.stage_folder import CACHE
from kaggle_kernels.push.receipts import LAG_SECONDS, iso
from shared.artifacts.files import write_json
from shared.artifacts.locks import locked


class Shown(BaseModel):
    """What Kaggle shows of a dataset's version: {name: bytes}, and the SHA-256 of its manifest, "" without one."""

    model_config = STRICT
    files: dict[str, int]
    manifest: str


class Sent(BaseModel):
    """A write that went out; `answered` is False as long as nobody knows whether Kaggle carried it out."""

    model_config = STRICT
    previous: int  # the version before it; of a submission, the reference of the one before
    time: float  # seconds since 1970, like every time here
    answered: bool
    before: Shown | None = None  # what Kaggle showed of the version before: its listings may lag behind the number
    failed_before: bool = False  # whether processing that version had failed


class Blob(BaseModel):
    """One file's upload; its `address`, for a week, lets anybody write to it."""

    model_config = STRICT
    token: str
    address: str
    begun: float
    done: bool


class PendingFile(BaseModel):
    """push.json. `digest` is of what is pushed; `blobs` {"SHA-256 name": upload}."""

    model_config = STRICT
    digest: str
    sent: Sent | None
    blobs: dict[str, Blob]


class Pending:
    """What is under way with one content, `digest`, saved after each change; of another one only the files serve."""

    def __init__(self, path: Path, digest: str) -> None:
        before = _read(path) or PendingFile(digest=digest, sent=None, blobs={})
        same = before.digest == digest
        self._path, self._digest = path, digest
        self.sent: Sent | None = before.sent if same else None
        self.blobs: dict[str, Blob] = {} if before.sent and not same else before.blobs

    def keep(self, key: str, blob: Blob) -> None:
        self.blobs[key] = blob
        self._save()

    def sending(self, previous: int, time: float, **before) -> None:
        """To be called before a write goes out; `before` are further facts of Sent."""
        self.sent = Sent(previous=previous, time=time, answered=False, **before)
        self._save()

    def answered(self) -> None:
        """To be called when the answer to what was sent is there."""
        self.sent = self.sent.model_copy(update={"answered": True})
        self._save()

    def not_sent(self) -> None:
        self.sent = None
        self._save()

    def forget(self) -> None:
        self.sent, self.blobs = None, {}
        self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        _write(self._path, PendingFile(digest=self._digest, sent=self.sent, blobs=self.blobs))


def forget_unanswered() -> None:
    """Take everything that was sent without an answer for not carried out: somebody has looked, and says so."""
    for path in CACHE.glob("*/push.json"):
        file = _read(path)
        if file and file.sent and not file.sent.answered:
            _write(path, file.model_copy(update={"sent": None}))


def unanswered(what: str, sent: Sent) -> str:
    """The sentence for a write that nobody knows the end of."""
    later = iso(sent.time + LAG_SECONDS)
    return (
        f"Kaggle gave no answer when {what} was sent at {iso(sent.time)}, and does not show it yet: run the same"
        f" command again to go on looking; from {later} on, or with --again, it is sent once more"
    )


@contextlib.contextmanager
def alone(slug: str) -> Iterator[Path]:
    """The folder for what is under way with `slug`, for this process only. ValueError while another one has it."""
    folder = CACHE / slug
    with locked(folder / "alone", f"another command is at work on {slug}: wait for it, or stop it"):
        yield folder


def _read(path: Path) -> PendingFile | None:
    if not path.is_file():
        return None
    return parse_json(PendingFile, path.read_bytes(), path, "look at Kaggle whether that push arrived, then delete it")


def _write(path: Path, file: PendingFile) -> None:
    write_json(path, file.model_dump(exclude_defaults=True), mode=0o600)
