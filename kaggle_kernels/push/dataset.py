"""Puts one staged folder into a Kaggle dataset, made or given a version, once, and says so only when it is true."""

from collections.abc import Callable

from kaggle_kernels.api.datasets import create_dataset, create_version, find_dataset
from kaggle_kernels.api.retries import Clock, Lost, Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.api.types import RemoteDataset
from kaggle_kernels.package.stage_folder import StagedFolder
from kaggle_kernels.push.content import difference, has_receipt, is_not_yet, shown, unlikeness
from kaggle_kernels.push.pending import Pending, Shown, alone, unanswered
from kaggle_kernels.push.receipts import LAG_SECONDS, Receipt, is_fresh, iso, read_receipt, write_receipt
from kaggle_kernels.push.upload import upload
from kaggle_kernels.push.upload_progress import UploadProgress

LOOK_SECONDS = 600.0  # One run looks so long for a write without an answer, and at files that are not what was sent.
ENDS = ("FAILED", "DELETED")


def push_dataset(kaggle: Kaggle, clock: Clock, stage: StagedFolder, public: bool, wait: float) -> str:
    """Bring `stage` to Kaggle, unless it is there, and wait until it can be mounted; a sentence on what was done.

    What was under way when an earlier run ended is taken up. `wait`: seconds until Refused says that it is not ready.
    """
    with alone(stage.slug) as folder:
        pending, deadline = Pending(folder / "push.json", stage.digest), clock.now() + wait
        remote = _described(kaggle, clock, stage, pending, deadline) if pending.sent else None
        if remote is None:
            before = _newest(kaggle, clock, stage.slug, deadline)
            check_visibility(stage.slug, before, public)
            if before and before.status == "READY" and not difference(kaggle, stage, before):
                pending.forget()
                return _done(kaggle, clock, stage, before, "is already there")
            _send(kaggle, clock, stage, pending, before, public)
            remote = _described(kaggle, clock, stage, pending, deadline)
        if remote is None:  # to be sent again only by somebody who knows that
            raise Refused(f"Kaggle never answered when {stage.slug} was sent, nor shows it: run the command again")
        _check_sent_visibility(stage.slug, remote, public)
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
    failed, now = bool(before) and before.status in ENDS, clock.now()
    shows = shown(kaggle, stage.slug, previous) if previous else Shown(files={}, manifest="")
    pending.sending(previous, now, before=shows, failed_before=failed)
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
    pending.answered()


def _arrived(kaggle: Kaggle, clock: Clock, slug: str, pending: Pending, deadline: float) -> RemoteDataset | None:
    """The version that was sent, READY; None when it did not arrive. Refused when it failed or is not ready in time."""
    previous, sent, began = pending.sent.previous, pending.sent.time, clock.now()

    def is_over(remote: RemoteDataset | None) -> bool:
        if remote and remote.version > previous:
            ended = remote.status in ENDS and (not pending.sent.failed_before or clock.now() - sent > LAG_SECONDS)
            return ended or remote.status == "READY"
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


def _described(
    kaggle: Kaggle, clock: Clock, stage: StagedFolder, pending: Pending, deadline: float
) -> RemoteDataset | None:
    """The version that was sent, once Kaggle describes it; None when it did not arrive.

    The number of a new version advances at once, and until that is processed its status, files and downloads are those
    of the version before. Refused where it is not described in time, or where it is something else than what was sent.
    """
    pause, began = 5.0, None  # since when it is neither what was there nor what was sent
    while remote := _arrived(kaggle, clock, stage.slug, pending, deadline):
        there = shown(kaggle, stage.slug, remote.version)
        if not (unlike := unlikeness(stage, there)):
            return remote
        lags = is_not_yet(stage, there, pending.sent.before)
        began = clock.now() if lags or began is None else began
        if clock.now() >= deadline:
            raise Refused(
                f"Kaggle has version {remote.version} of {stage.slug} and does not describe it yet ({unlike}): run the"
                " same command again to go on looking; nothing is sent again"
            )
        if clock.now() - began > LOOK_SECONDS:
            pending.forget()
            raise Refused(
                f"version {remote.version} of {stage.slug} is not what was sent: {unlike}. Running again sends it anew"
            )
        clock.sleep(pause)
        pause = min(1.5 * pause, 60.0)
    return None


def _check_sent_visibility(slug: str, remote: RemoteDataset, public: bool) -> None:
    if remote.private == public:
        raise Refused(
            f"dataset {slug} is {'private' if public else 'PUBLIC'} at Kaggle, and was sent as the opposite:"
            " change it on its settings page"
        )


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
    if not has_receipt(kaggle, stage, remote):
        files, now = {name: facts["bytes"] for name, facts in stage.files.items()}, iso(clock.now())
        receipt = Receipt(owner=kaggle.owner, version=remote.version, digest=stage.digest, files=files, time=now)
        write_receipt(stage.slug, receipt)
    return f"{kaggle.owner}/{stage.slug} version {remote.version} {words}, manifest {stage.digest[:12]}"
