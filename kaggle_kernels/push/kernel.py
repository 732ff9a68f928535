"""Pushes a kernel version once, which also runs it, and follows that run to its end."""

import json
from collections.abc import Callable

from kaggle_kernels.api.datasets import find_dataset
from kaggle_kernels.api.kernels import find_kernel, kernel_status, save_kernel
from kaggle_kernels.api.retries import Clock, Lost, Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.api.types import RemoteKernel
from kaggle_kernels.push.kernel_request import fill_sources, request_digest
from kaggle_kernels.push.receipts import LAG, Pending, alone, is_fresh, lock_of, unanswered, write_lock

LOOKS = 180.0  # seconds that one run looks for a push without an answer
FAILED = ("ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED")


def push_kernel(kaggle: Kaggle, clock: Clock, request: dict, facts: dict) -> str:
    """Push `request` unless its newest version is exactly that; a sentence. `facts` go into the lock with the version.

    Raises Refused when Kaggle drops a source, changes what was asked for, or does not show the push.
    """
    slug, digest = request["slug"].rpartition("/")[2], request_digest(request)
    with alone(slug) as folder:
        pending = Pending(folder / "push.json", digest)
        remote, lock = find_kernel(kaggle, slug), lock_of(slug, kaggle.owner)
        listed = remote.version if remote else 0
        behind = is_fresh(lock, clock.now()) and listed < lock["version"]  # what Kaggle lists
        if lock.get("digest") == digest and (behind or listed == lock["version"]):
            pending.forget()
            return f"{request['slug']} version {lock['version']} is already there"
        version = None
        if pending.sent:  # a push that was killed, or had no answer
            version = _shown(kaggle, clock, request, pending)
        if version is None:
            version = _save(kaggle, clock, request, pending, remote)
        _check_settings(kaggle, request, version)
        write_lock(slug, {"owner": kaggle.owner, "version": version, "digest": digest, **facts}, clock.now())
        pending.forget()  # last: on a full disk the lock is not there, and the push must be found again
        return f"{request['slug']} version {version} is there and runs"


def with_sources(kaggle: Kaggle, request: dict, planned: dict[str, dict]) -> tuple[dict, dict]:
    """(`request` with versions and digests of the datasets it mounts in its code, those sources).

    `planned`: what a dry run would have sent by now.
    Raises ValueError for a dataset of ours that was not pushed from here; Refused when Kaggle has another version.
    """
    sources = {}
    for source in request["datasetDataSources"]:
        owner, _, slug = source.partition("/")
        if owner != kaggle.owner:
            continue
        if slug in planned:
            sources[slug] = planned[slug]
            continue
        lock = lock_of(slug, kaggle.owner)
        if not lock:
            raise ValueError(f"{source} was not pushed from here: just push-code, or just push-models, first")
        remote = find_dataset(kaggle, slug)
        if not remote or remote.status != "READY" or remote.version != lock["version"]:
            state = f"version {remote.version}, {remote.status}" if remote else "nothing"
            raise Refused(f"{source} should be version {lock['version']}, READY, and Kaggle has {state}: push it again")
        sources[slug] = {"version": lock["version"], "digest": lock["digest"]}
    # Kaggle's datasetDataSources take no version, so the kernel itself compares digests with what it finds mounted.
    return {**request, "text": fill_sources(request["text"], request["kernelType"], sources)}, sources


def await_kernel(kaggle: Kaggle, clock: Clock, slug: str, wait: float, say: Callable) -> int:
    """The version in the lock, once its run is COMPLETE. Refused when it failed or takes longer than `wait` seconds."""
    version, deadline, pause, shown = locked_version(slug, kaggle.owner), clock.now() + wait, 10.0, ""
    while True:
        status, reason = kernel_status(kaggle, slug, version)
        if status == "COMPLETE":
            return version
        if status in FAILED:
            raise Refused(
                f"the run of {slug} version {version} ended as {status}{': ' + reason if reason else ''};"
                " its log is on its page"
            )
        if clock.now() >= deadline:
            raise Refused(
                f"the run of {slug} version {version} is still {status}: run the same command again to go on waiting"
            )
        if status != shown:
            say(f"{slug} version {version}: {status}")
        shown = status
        clock.sleep(pause)
        pause = min(1.5 * pause, 120.0)


def locked_version(slug: str, owner: str) -> int:
    lock = lock_of(slug, owner)
    if not lock:
        verb = "push-wheels" if slug.endswith("wheels") else "push-kernel iter=1"
        raise ValueError(f"kernel {slug} was not pushed from here: just {verb} comes first")
    return lock["version"]


def _save(kaggle: Kaggle, clock: Clock, request: dict, pending: Pending, remote: RemoteKernel | None) -> int:
    pending.sending(remote.version if remote else 0, clock.now(), answered=False)
    try:
        version, invalid = save_kernel(kaggle, request)
    except Refused:
        pending.not_sent()
        raise
    except Lost:
        version, invalid = _shown(kaggle, clock, request, pending), []
        if version is None:
            raise Refused(f"Kaggle never answered the push of {request['slug']}: run the command again") from None
    if invalid:
        pending.forget()
        raise Refused(
            f"Kaggle pushed {request['slug']} version {version} WITHOUT its sources {', '.join(invalid)}:"
            " stop that run, and push what is missing"
        )
    return version


def _shown(kaggle: Kaggle, clock: Clock, request: dict, pending: Pending) -> int | None:
    """The version that a push without an answer made; None when it made none. Refused while nobody can know."""
    slug, began = request["slug"].rpartition("/")[2], clock.now()
    while True:
        remote = find_kernel(kaggle, slug)
        if remote and remote.version > pending.sent["previous"] and _same_code(remote.source, request["text"]):
            return remote.version
        if clock.now() - pending.sent["time"] > LAG:
            pending.not_sent()
            return None
        if clock.now() - began > LOOKS:
            raise Refused(unanswered(request["slug"], pending))
        clock.sleep(15.0)


def _same_code(there: str, here: str) -> bool:
    try:
        return json.loads(there) == json.loads(here)
    except ValueError:
        return there.strip() == here.strip()


def _check_settings(kaggle: Kaggle, request: dict, version: int) -> None:
    """Compare what Kaggle made of the push: after a lost answer only this shows a dropped source."""
    remote = find_kernel(kaggle, request["slug"].rpartition("/")[2])
    for name, value in (remote.settings if remote else {}).items():
        same = sorted(value) == sorted(request[name]) if isinstance(value, list) else value == request[name]
        if value is not None and remote.version == version and not same:
            raise Refused(
                f"{request['slug']} version {version} has {name} {value!r} at Kaggle, and {request[name]!r} was sent:"
                " stop that run"
            )
