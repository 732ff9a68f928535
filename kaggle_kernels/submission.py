"""Enters a finished kernel version into the competition, once, and records its score in runs/ for `just runs`."""

from pathlib import Path

from kaggle_kernels.calls import Clock, Lost, Refused
from kaggle_kernels.client import Kaggle
from kaggle_kernels.kernels import await_kernel
from kaggle_kernels.record import Pending, alone, iso, lock_of, write_record
from kaggle_kernels.remote import Submission

ARRIVES = 180.0  # seconds in which a submission without an answer must show
OUTPUT = "submission.csv"


def submit(kaggle: Kaggle, clock: Clock, competition: str, slug: str, wait: float, say) -> str:
    """Enter the version in the kernel's lock and wait for its score; a sentence. What is entered is only waited for."""
    version = await_kernel(kaggle, clock, slug, wait, say)
    if OUTPUT not in (names := kaggle.kernel_output(slug, version)):
        raise Refused(
            f"{slug} version {version} left no {OUTPUT} (but {', '.join(names) or 'nothing'}): Kaggle would refuse it"
        )
    lock = lock_of(slug, kaggle.owner)
    description = f"malrule {lock.get('tag', '')}: {slug} version {version} {lock['digest'][:12]}"
    with alone(f"{slug}-submission") as folder:
        pending = Pending(folder / "push.json", description)
        found = _entered(kaggle, clock, competition, description, pending)
        if not found:
            left = kaggle.submissions_left(competition)
            if left < 1:
                raise Refused(f"{competition} takes no more submissions today: run just submit after midnight UTC")
            _enter(kaggle, clock, competition, slug, version, description, pending)
        done = _score(kaggle, clock, competition, description, wait, say)
        pending.forget()
    record = {
        "ref": done.ref,
        "kernel": f"{kaggle.owner}/{slug}",
        "version": version,
        "digest": lock["digest"],
        "sources": lock.get("sources", {}),
    }
    record |= {"public_score": done.public_score, "private_score": done.private_score, "time": iso(clock.now())}
    write_record(Path(lock.get("run", "runs/unknown")) / "submission.json", record, mode=0o644)
    scores = f"public {done.public_score or '-'}, private {done.private_score or '-'}"
    return f"submission {done.ref} of {slug} version {version}: {scores}"


def _enter(
    kaggle: Kaggle, clock: Clock, competition: str, slug: str, version: int, description: str, pending: Pending
) -> None:
    pending.sending(0, clock.now(), answered=False)
    try:
        kaggle.submit(competition, slug, version, description)
    except Refused:
        pending.not_sent()
        raise
    except Lost:
        if not _entered(kaggle, clock, competition, description, pending):
            pending.not_sent()
            raise Refused(
                "Kaggle gave no answer to the submission and does not show it: run just submit again"
            ) from None
    pending.sending(0, clock.now(), answered=True)


def _entered(kaggle: Kaggle, clock: Clock, competition: str, description: str, pending: Pending) -> Submission | None:
    """The submission with this description; one that was sent and had no answer gets time to show."""
    while True:
        found = kaggle.find_submission(competition, description)
        late = not pending.sent or (not pending.sent["answered"] and clock.now() - pending.sent["time"] > ARRIVES)
        if found or late:
            return found
        clock.sleep(15.0)


def _score(kaggle: Kaggle, clock: Clock, competition: str, description: str, wait: float, say) -> Submission:
    deadline, pause, shown = clock.now() + wait, 15.0, False
    while True:
        found = kaggle.find_submission(competition, description)
        if found and found.status == "COMPLETE":
            return found
        if found and found.status == "ERROR":
            raise Refused(f"submission {found.ref} failed at Kaggle: {found.error or 'it gives no reason'}")
        if clock.now() >= deadline:
            raise Refused(
                "the submission has no score yet: run just submit again to go on waiting; it is not entered twice"
            )
        if not shown:
            say("the submission is being scored")
        shown = True
        clock.sleep(pause)
        pause = min(1.5 * pause, 120.0)
