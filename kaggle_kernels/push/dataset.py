"""Puts one staged folder into a Kaggle dataset, made or given a version, once, and says so only when it is true."""

from collections.abc import Callable

from kaggle_kernels.api.datasets import create_dataset, create_version, dataset_files, dataset_manifest, find_dataset
from kaggle_kernels.api.retries import Clock, Lost, Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.api.types import RemoteDataset
from kaggle_kernels.package.stage_folder import StagedFolder
from kaggle_kernels.push.pending import Pending, alone, unanswered
from kaggle_kernels.push.receipts import LAG_SECONDS, Receipt, is_fresh, iso, read_receipt, write_receipt
from kaggle_kernels.push.upload import upload
from kaggle_kernels.push.upload_progress import UploadProgress
from shared.artifacts import manifest

LOOK_SECONDS = 600.0  # One run looks so long for a write without an answer, and for the files of a version.
ENDS = ("FAILED", "DELETED")


def push_dataset(kaggle: Kaggle, clock: Clock, stage: StagedFolder, public: bool, wait: float) -> str:
    """Bring `stage` to Kaggle, unless it is there, and wait until it can be mounted; a sentence on what was done.

    What was under way when an earlier run ended is taken up. `wait`: seconds until Refused says that it is not ready.
    """
    with alone(stage.slug) as folder:
        pending, deadline = Pending(folder / "push.json", stage.digest), clock.now() + wait
        remote = _arrived(kaggle, clock, stage.slug, pending, deadline) if pending.sent else None
        if remote is None:
            before = _newest(kaggle, clock, stage.slug, deadline)
            check_visibility(stage.slug, before, public)
            if before and before.status == "READY" and not difference(kaggle, stage, before):
                pending.forget()
                return _done(kaggle, clock, stage, before, "is already there")
            _send(kaggle, clock, stage, pending, before, public)
            remote = _arrived(kaggle, clock, stage.slug, pending, deadline)
        if remote is None:  # to be sent again only by somebody who knows that
            raise Refused(f"Kaggle never answered when {stage.slug} was sent, nor shows it: run the command again")
        _check_content(kaggle, clock, stage, remote, pending, public)
        pending.forget()
        return _done(kaggle, clock, stage, remote, "is there")


def check_visibility(slug: str, remote: RemoteDataset | None, public: bool) -> None:
    """Raise Refused where pushing would make weights public, or where the dataset is beyond use."""
    if remote and remote.status == "DELETED":
        raise Refused(
            f"dataset {slug} was deleted, and Kaggle does not take its name again: choose a new slug in datasets_meta"
        )
    if remote and remote.version and remote.private == public:
        now, wish = ("public", "private") if public is False else ("private", "public")
        raise Refused(
            f"dataset {slug} is {now} and this push is {wish}: change that on the dataset's settings page first"
        )


def _newest(kaggle: Kaggle, clock: Clock, slug: str, deadline: float) -> RemoteDataset | None:
    """What is there before anything is sent. A listing that is behind what we pushed a moment ago is asked again."""
    receipt, began = read_receipt(slug, kaggle.owner), clock.now()
    while True:
        remote = _wait_for(kaggle, clock, slug, _is_settled, deadline)
        listed = remote.version if remote else 0
        if not receipt or not is_fresh(receipt, clock.now()) or listed >= receipt.version:
            return remote
        if clock.now() - began > LOOK_SECONDS:
            raise Refused(
                f"version {receipt.version} of {slug} was pushed at {receipt.time}, and Kaggle still lists"
                f" {f'version {listed}' if listed else 'none'}: run the command again"
            )
        clock.sleep(30.0)


def _send(
    kaggle: Kaggle, clock: Clock, stage: StagedFolder, pending: Pending, before: RemoteDataset | None, public: bool
) -> None:
    with UploadProgress({name: facts["bytes"] for name, facts in stage.files.items()}) as moved:
        tokens = upload(kaggle, clock, stage.folder, stage.files, pending, moved)
    previous, metadata = before.version if before else 0, stage.metadata.as_json()
    pending.sending(previous, clock.now(), answered=False)
    try:
        if before is None:
            create_dataset(kaggle, stage.slug, metadata, tokens, public)
        else:
            create_version(kaggle, stage.slug, metadata, tokens, f"{stage.label}, manifest {stage.digest}")
    except Refused as no:
        pending.not_sent()
        if any(word in str(no).lower() for word in ("token", "blob", "upload", "expired")):
            pending.forget()  # it is the uploads that it does not want
        raise
    except Lost:
        return  # _arrived finds out
    pending.sending(previous, pending.sent.time, answered=True)


def _arrived(kaggle: Kaggle, clock: Clock, slug: str, pending: Pending, deadline: float) -> RemoteDataset | None:
    """The version that was sent, READY; None when it did not arrive. Refused when it failed or is not ready in time."""
    previous, sent, began = pending.sent.previous, pending.sent.time, clock.now()

    def is_over(remote: RemoteDataset | None) -> bool:
        if remote and remote.version > previous:
            return remote.status in (*ENDS, "READY")
        if pending.sent.answered or not _is_settled(remote):  # the older version's FAILED may still be shown
            return bool(remote and remote.status in ENDS) and clock.now() - sent > LAG_SECONDS
        return clock.now() - sent > LAG_SECONDS or clock.now() - began > LOOK_SECONDS

    remote = _wait_for(kaggle, clock, slug, is_over, deadline)
    newer = bool(remote and remote.version > previous)
    if newer and remote.status == "READY":
        return remote
    if newer or pending.sent.answered:
        pending.forget()
        raise Refused(
            f"Kaggle took {slug} and then could not process it ({remote.status}): is the quota of 200 GB full?"
            " Running again sends it anew"
        )
    if clock.now() - sent <= LAG_SECONDS:
        raise Refused(unanswered(slug, pending.sent))
    pending.not_sent()
    return None


def _check_content(
    kaggle: Kaggle, clock: Clock, stage: StagedFolder, remote: RemoteDataset, pending: Pending, public: bool
) -> None:
    began = clock.now()
    while unlike := difference(kaggle, stage, remote):
        if clock.now() - began > LOOK_SECONDS:
            pending.forget()
            raise Refused(
                f"version {remote.version} of {stage.slug} is not what was sent: {unlike}; running again sends it anew"
            )
        clock.sleep(30.0)
    if remote.private == public:
        raise Refused(
            f"dataset {stage.slug} is {'private' if public else 'PUBLIC'} at Kaggle, and was sent as the opposite:"
            " change it on its settings page"
        )


def difference(kaggle: Kaggle, stage: StagedFolder, remote: RemoteDataset) -> str:
    """What tells a version from `stage`, by the names and sizes of its files and by its manifest; "" if nothing."""
    there = dataset_files(kaggle, stage.slug, remote.version)
    here = {name: facts["bytes"] for name, facts in stage.files.items()}
    for name in sorted(here.keys() | there.keys()):
        if name not in there or name not in here:
            return f"{name} is {'missing' if name in here else 'extra'} there"
        if here[name] != there[name]:
            return f"{name} has {there[name]} bytes there and {here[name]} here"
    if _has_receipt(kaggle, stage, remote):
        return ""  # we read its manifest when we wrote that
    same = dataset_manifest(kaggle, stage.slug, remote.version) == (stage.folder / manifest.MANIFEST).read_bytes()
    return "" if same else f"{manifest.MANIFEST} says something else there"


def _wait_for(kaggle: Kaggle, clock: Clock, slug: str, is_over: Callable, deadline: float) -> RemoteDataset | None:
    pause = 5.0
    while not is_over(remote := find_dataset(kaggle, slug)):
        if clock.now() >= deadline:
            status = remote.status if remote else "not there"
            raise Refused(f"dataset {slug} is not ready yet ({status}): run the same command again to go on waiting")
        clock.sleep(pause)
        pause = min(1.5 * pause, 60.0)
    return remote


def _is_settled(remote: RemoteDataset | None) -> bool:
    return remote is None or remote.status in ENDS or (remote.status == "READY" and remote.version > 0)


def _done(kaggle: Kaggle, clock: Clock, stage: StagedFolder, remote: RemoteDataset, words: str) -> str:
    if not _has_receipt(kaggle, stage, remote):
        files, now = {name: facts["bytes"] for name, facts in stage.files.items()}, iso(clock.now())
        receipt = Receipt(owner=kaggle.owner, version=remote.version, digest=stage.digest, files=files, time=now)
        write_receipt(stage.slug, receipt)
    return f"{kaggle.owner}/{stage.slug} version {remote.version} {words}, manifest {stage.digest[:12]}"


def _has_receipt(kaggle: Kaggle, stage: StagedFolder, remote: RemoteDataset) -> bool:
    """Whether the receipt is of this very version and content."""
    receipt = read_receipt(stage.slug, kaggle.owner)
    return bool(receipt) and (receipt.version, receipt.digest) == (remote.version, stage.digest)
