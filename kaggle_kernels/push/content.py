"""Tells what Kaggle shows of a version from what was staged: by the names and sizes of files, and by the manifest."""

import hashlib

from kaggle_kernels.api.datasets import dataset_files, dataset_manifest
from kaggle_kernels.api.retries import Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.api.types import RemoteDataset
from kaggle_kernels.package.stage_folder import StagedFolder
from kaggle_kernels.push.pending import Shown
from kaggle_kernels.push.receipts import read_receipt
from shared.artifacts import manifest


def difference(kaggle: Kaggle, stage: StagedFolder, remote: RemoteDataset) -> str:
    """What tells a version from `stage`; "" if nothing. Raises Refused where Kaggle lists no file of it."""
    files = dataset_files(kaggle, stage.slug, remote.version)
    if not files:
        raise Refused(f"Kaggle does not list the files of {stage.slug}: run the command again")
    if unlike := _other_files(stage, files):
        return unlike
    if has_receipt(kaggle, stage, remote):
        return ""  # we read its manifest when we wrote that
    return unlikeness(stage, Shown(files=files, manifest=_manifest(kaggle, stage.slug, remote.version, files)))


def shown(kaggle: Kaggle, slug: str, version: int) -> Shown:
    """What Kaggle shows of a version by now: nothing, the version before, or the version itself."""
    files = dataset_files(kaggle, slug, version)
    return Shown(files=files, manifest=_manifest(kaggle, slug, version, files))


def unlikeness(stage: StagedFolder, there: Shown) -> str:
    """What tells `there` from `stage`; "" if nothing."""
    if unlike := _other_files(stage, there.files):
        return unlike
    same = there.manifest == _digest((stage.folder / manifest.MANIFEST).read_bytes())
    return "" if same else f"{manifest.MANIFEST} says something else there"


def is_not_yet(stage: StagedFolder, there: Shown, before: Shown | None) -> bool:
    """Whether `there`, which is not `stage`, is what Kaggle showed `before`, in part at least: the listing lags."""
    unread = manifest.MANIFEST in there.files and not there.manifest
    if unread or not there.files:
        return True
    other_files = bool(_other_files(stage, there.files))
    return before is not None and (there.files == before.files if other_files else there.manifest == before.manifest)


def has_receipt(kaggle: Kaggle, stage: StagedFolder, remote: RemoteDataset) -> bool:
    """Whether the receipt is of this very version and content."""
    receipt = read_receipt(stage.slug, kaggle.owner)
    return bool(receipt) and (receipt.version, receipt.digest) == (remote.version, stage.digest)


def _other_files(stage: StagedFolder, there: dict[str, int]) -> str:
    here = {name: facts["bytes"] for name, facts in stage.files.items()}
    for name in sorted(here.keys() | there.keys()):
        if name not in there or name not in here:
            return f"{name} is {'missing' if name in here else 'extra'} there"
        if here[name] != there[name]:
            return f"{name} has {there[name]} bytes there and {here[name]} here"
    return ""


def _manifest(kaggle: Kaggle, slug: str, version: int, files: dict[str, int]) -> str:
    """The SHA-256 of a version's manifest; "" where it is not there to be read."""
    content = dataset_manifest(kaggle, slug, version) if manifest.MANIFEST in files else b""
    return _digest(content) if content else ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
