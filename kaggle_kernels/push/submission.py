"""Enters a finished kernel version into the competition, once, and records its score in runs/ for `just runs`."""

from pathlib import Path

from kaggle_kernels.api.competition import enter_submission, find_submission, submissions_left
from kaggle_kernels.api.kernels import kernel_output
from kaggle_kernels.api.retries import Clock, Lost, Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.api.types import Submission
from kaggle_kernels.push.kernel import await_kernel
from kaggle_kernels.push.receipts import LAG, Pending, alone, iso, lock_of, unanswered, write_record

LOOKS = 180.0  # seconds that one run looks for a submission that must be there, or may be
OUTPUT = "submission.csv"


def submit(kaggle: Kaggle, clock: Clock, competition: str, slug: str, wait: float, say) -> str:
    """Enter the version in the kernel's lock and wait for its score; a sentence. What is entered is only waited for."""
    version = await_kernel(kaggle, clock, slug, wait, say)
    if OUTPUT not in (names := kernel_output(kaggle, slug, version)):
        raise Refused(
            f"{slug} version {version} left no {OUTPUT} (but {', '.join(names) or 'nothing'}): Kaggle would refuse it"
        )
    lock = lock_of(slug, kaggle.owner)
    description = describe_submission(lock, slug)
    with alone(f"{slug}-submission") as folder:
        pending = Pending(folder / "push.json", description)
        found = _entered(kaggle, clock, competition, description, pending)
        if not found:
            left = submissions_left(kaggle, competition)
            if left < 1:
                raise Refused(f"{competition} takes no more submissions today: run just submit after midnight UTC")
            _enter(kaggle, clock, competition, (slug, version), pending, description)
        done = _score(kaggle, clock, competition, description, wait, say)
        pending.forget()
    record = {
        "ref": done.ref,
        "kernel": f"{kaggle.owner}/{slug}",
        "version": version,
        "digest": lock["digest"],
        "sources": lock.get("sources", {}),
        "models": lock.get("models", {}),  # as they were when the kernel was pushed: a run may be trained again
    }
    record |= {"public_score": done.public_score, "private_score": done.private_score, "time": iso(clock.now())}
    write_record(Path(lock.get("run", "runs/unknown")) / "submission.json", record, mode=0o644)
    scores = f"public {done.public_score or '-'}, private {done.private_score or '-'}"
    return f"submission {done.ref} of {slug} version {version}: {scores}"


def describe_submission(lock: dict, slug: str) -> str:
    """What tells this submission from every other: only the version in the lock has it."""
    return f"malrule {lock.get('tag', '')}: {slug} version {lock['version']} {lock['digest'][:12]}"


def _enter(
    kaggle: Kaggle, clock: Clock, competition: str, kernel: tuple[str, int], pending: Pending, description: str
) -> None:
    pending.sending(0, clock.now(), answered=False)
    try:
        enter_submission(kaggle, competition, *kernel, description)
    except Refused:
        pending.not_sent()
        raise
    except Lost:
        if not _entered(kaggle, clock, competition, description, pending):
            raise Refused("Kaggle never answered the submission, nor shows it: run just submit again") from None
    pending.sending(0, clock.now(), answered=True)


def _entered(kaggle: Kaggle, clock: Clock, competition: str, description: str, pending: Pending) -> Submission | None:
    """The submission with this description; None when there is none. Refused while nobody can know."""
    began = clock.now()
    while not (found := find_submission(kaggle, competition, description)) and pending.sent:
        age = clock.now() - pending.sent["time"]
        if not pending.sent["answered"] and age > LAG:
            pending.not_sent()
        elif clock.now() - began > LOOKS:
            raise Refused(
                f"{competition} does not list the submission yet: run just submit again; it is not entered twice"
                if pending.sent["answered"]
                else unanswered("the submission", pending)
            )
        else:
            clock.sleep(15.0)
    return found


def _score(kaggle: Kaggle, clock: Clock, competition: str, description: str, wait: float, say) -> Submission:
    deadline, pause, shown = clock.now() + wait, 15.0, False
    while True:
        found = find_submission(kaggle, competition, description)
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
