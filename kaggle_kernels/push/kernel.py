"""Pushes a kernel version once, which also runs it, and follows that run to its end."""

import json
from collections.abc import Callable

from kaggle_kernels.api.datasets import find_dataset
from kaggle_kernels.api.kernels import NOT_SHOWN, SOURCES, find_kernel, kernel_output, kernel_status, save_kernel
from kaggle_kernels.api.retries import Clock, Lost, Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.push.kernel_request import fill_sources, request_digest
from kaggle_kernels.push.pending import Pending, alone, unanswered
from kaggle_kernels.push.receipts import LAG_SECONDS, Receipt, Source, is_fresh, iso, read_receipt, write_receipt
from kaggle_kernels.push.runs import why_it_failed

LOOK_SECONDS = 180.0  # One run looks so long for a push without an answer.
FAILED = ("ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED")


def push_kernel(
    kaggle: Kaggle,
    clock: Clock,
    request: dict,
    facts: dict,
    wanted: str,
    before: Callable[[], None] = lambda: None,
) -> str:
    """Push `request` unless its newest version is exactly that and ran well; a sentence. `facts` go into the receipt.

    A run that failed, or left no file whose name ends in `wanted`, is begun once more, as a new version. `before` is
    called when it is known that something will be pushed, and may refuse that. Raises Refused when Kaggle drops a
    source, changes what was asked for, or does not show the push.
    """
    slug, digest = request["slug"].rpartition("/")[2], request_digest(request)
    with alone(slug) as folder:
        pending = Pending(folder / "push.json", digest)
        remote, receipt = find_kernel(kaggle, slug), read_receipt(slug, kaggle.owner)
        listed = remote.version if remote else 0
        if receipt and receipt.digest == digest and _is_listed(receipt, listed, clock.now()):
            # A push that began behind it is one of the same code, after a run that ended badly.
            begun = bool(pending.sent) and pending.sent.previous >= receipt.version
            if not begun and not ended_badly(kaggle, slug, receipt.version, wanted):
                pending.forget()
                return f"{request['slug']} version {receipt.version} is already there"
            listed = max(listed, receipt.version)
            if not begun:
                pending.not_sent()
        version = None
        if pending.sent:  # a push that was killed, or had no answer
            version = _shown(kaggle, clock, request, pending)
        if version is None:
            before()
            version = _save(kaggle, clock, request, pending, listed)
        _check_settings(kaggle, request, version, pending)
        now = iso(clock.now())
        write_receipt(slug, Receipt(owner=kaggle.owner, version=version, digest=digest, **facts, time=now))
        pending.forget()  # last: on a full disk the receipt is not there, and the push must be found again
        return f"{request['slug']} version {version} is there and runs"


def ended_badly(kaggle: Kaggle, slug: str, version: int, wanted: str) -> str:
    """Why the run of a version is of no use: how it failed, or that it left no file ending in `wanted`; "" else."""
    status, reason = kernel_status(kaggle, slug, version)
    if status in FAILED:
        return f"its run ended as {status}{': ' + reason if reason else ''}"
    if status == "COMPLETE" and not any(name.endswith(wanted) for name in kernel_output(kaggle, slug, version)):
        return f"its run left no {wanted}"
    return ""


def _is_listed(receipt: Receipt, listed: int, now: float) -> bool:
    """Whether Kaggle lists the version of `receipt`, or may be behind it."""
    return listed == receipt.version or (listed < receipt.version and is_fresh(receipt, now))


def with_sources(kaggle: Kaggle, request: dict, planned: dict[str, Source]) -> tuple[dict, dict[str, Source]]:
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
        receipt = read_receipt(slug, kaggle.owner)
        if not receipt:
            raise ValueError(f"{source} was not pushed from here: just push-code, or just push-models, first")
        remote = find_dataset(kaggle, slug)
        if not remote or remote.status != "READY" or remote.version != receipt.version:
            state = f"version {remote.version}, {remote.status}" if remote else "nothing"
            raise Refused(f"{source} should be version {receipt.version}, READY, and Kaggle has {state}: push it again")
        sources[slug] = Source(version=receipt.version, digest=receipt.digest)
    # Kaggle's datasetDataSources take no version, so the kernel itself compares digests with what it finds mounted.
    return {**request, "text": fill_sources(request["text"], request["kernelType"], sources)}, sources


def run_status(kaggle: Kaggle, clock: Clock, slug: str) -> tuple[int, str, str]:
    """(version in the receipt, how its run stands, why it failed). Refused where Kaggle has no such version."""
    receipt = pushed_kernel(slug, kaggle.owner)
    status, reason = kernel_status(kaggle, slug, receipt.version)
    if status == NOT_SHOWN and not is_fresh(receipt, clock.now()):
        raise Refused(f"Kaggle has no version {receipt.version} of {slug}: {_verb(slug)} pushes it again")
    return receipt.version, status, reason


def await_kernel(kaggle: Kaggle, clock: Clock, slug: str, wait: float, say: Callable) -> int:
    """The version in the receipt, once its run is COMPLETE. Refused when it failed or is not over in time."""
    deadline, pause, shown = clock.now() + wait, 10.0, ""
    while True:
        version, status, reason = run_status(kaggle, clock, slug)
        if status == "COMPLETE":
            return version
        if status in FAILED:
            raise Refused(
                f"the run of {slug} version {version} ended as {status}{': ' + reason if reason else ''}:"
                f" {why_it_failed(kaggle, slug, version)}; {_verb(slug)} runs it once more"
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


def pushed_kernel(slug: str, owner: str) -> Receipt:
    """The receipt of a kernel. Raises ValueError where there is none."""
    receipt = read_receipt(slug, owner)
    if not receipt:
        raise ValueError(f"kernel {slug} was not pushed from here: {_verb(slug)} comes first")
    return receipt


def _verb(slug: str) -> str:
    return "just push-wheels" if slug.endswith("wheels") else "just push-kernel iter=1"


def _save(kaggle: Kaggle, clock: Clock, request: dict, pending: Pending, previous: int) -> int:
    pending.sending(previous, clock.now())
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
            f" stop that run, {_way_out(request, invalid)}, and run the command again"
        )
    return version


def _way_out(request: dict, missing: list[str]) -> str:
    """What to do about sources that Kaggle dropped."""
    closed = [name for name in missing if name in request["competitionDataSources"]]
    if closed:
        return f"join it and accept its rules at https://www.kaggle.com/competitions/{closed[0]}/rules"
    return "push what is missing"


def _shown(kaggle: Kaggle, clock: Clock, request: dict, pending: Pending) -> int | None:
    """The version that a push without an answer made; None when it made none. Refused while nobody can know."""
    slug, began = request["slug"].rpartition("/")[2], clock.now()
    while True:
        remote = find_kernel(kaggle, slug)
        if remote and remote.version > pending.sent.previous and _same_code(remote.source, request["text"]):
            return remote.version
        if clock.now() - pending.sent.time > LAG_SECONDS:
            pending.not_sent()
            return None
        if clock.now() - began > LOOK_SECONDS:
            raise Refused(unanswered(request["slug"], pending.sent))
        clock.sleep(15.0)


def _same_code(there: str, here: str) -> bool:
    try:
        return json.loads(there) == json.loads(here)
    except ValueError:
        return there.strip() == here.strip()


def _check_settings(kaggle: Kaggle, request: dict, version: int, pending: Pending) -> None:
    """Compare what Kaggle made of the push: after a lost answer only this shows a dropped source."""
    remote = find_kernel(kaggle, request["slug"].rpartition("/")[2])
    for name, value in (remote.settings if remote else {}).items():
        same = sorted(value) == sorted(request[name]) if isinstance(value, list) else value == request[name]
        if value is not None and remote.version == version and not same:
            pending.forget()  # that version is of no use: the next command pushes another
            missing = [one for one in request[name] if one not in value] if name in SOURCES else []
            raise Refused(
                f"{request['slug']} version {version} has {name} {value!r} at Kaggle, and {request[name]!r} was sent:"
                f" stop that run{', ' + _way_out(request, missing) if missing else ''}"
            )
