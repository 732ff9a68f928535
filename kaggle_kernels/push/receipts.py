"""Keeps receipts: datasets_meta/<slug>.lock.json, which is committed, says what a push left at Kaggle."""

import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel

from kaggle_kernels.package.json_models import STRICT, parse_json
from shared.artifacts.files import write_json

RECEIPTS = Path("datasets_meta")
# Kaggle's listings may be so far behind; after that a write without an answer did not happen.
LAG_SECONDS = 1800.0


def _check_time(text: str) -> str:
    datetime.datetime.fromisoformat(text)
    return text


class Source(BaseModel):
    """A dataset that a kernel mounts, as it was pushed."""

    model_config = STRICT
    version: int
    digest: str


class Receipt(BaseModel):
    """What `owner` has at Kaggle. `files` {name: bytes} are a dataset's; the four after it are of the submit kernel."""

    model_config = STRICT
    owner: str
    version: int
    digest: str
    files: dict[str, int] = {}
    sources: dict[str, Source] = {}
    tag: str = ""
    run: str = "runs/unknown"
    models: dict[str, str] = {}  # {stage: digest} as they were when the kernel was pushed
    time: Annotated[str, AfterValidator(_check_time)]


def read_receipt(slug: str, owner: str) -> Receipt | None:
    """The receipt of what `owner` has at Kaggle under `slug`, None without one. ValueError for a broken one."""
    path = RECEIPTS / f"{slug}.lock.json"
    if not path.is_file():
        return None
    advice = "it is no receipt of this version; take it from git, or delete it"  # two people's in one, after a merge
    receipt = parse_json(Receipt, path.read_bytes(), path, advice)
    return receipt if receipt.owner == owner else None


def write_receipt(slug: str, receipt: Receipt) -> None:
    """Write what was said of `receipt`, and no defaults."""
    RECEIPTS.mkdir(exist_ok=True)
    write_json(RECEIPTS / f"{slug}.lock.json", receipt.model_dump(exclude_unset=True), mode=0o644)


def is_fresh(receipt: Receipt, now: float) -> bool:
    """Whether it was written so short a time ago that Kaggle may still list what was there before."""
    return now - datetime.datetime.fromisoformat(receipt.time).timestamp() < LAG_SECONDS


def iso(now: float) -> str:
    return datetime.datetime.fromtimestamp(now, datetime.UTC).isoformat(timespec="seconds")
