"""Enters a finished kernel version into the competition, once, and records its score in runs/ for `just runs`."""

from pathlib import Path

from pydantic import BaseModel

from kaggle_kernels.api.competition import enter_submission, find_submission, submissions_left
from kaggle_kernels.api.kernels import kernel_output
from kaggle_kernels.api.retries import Clock, Lost, Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.api.types import Submission
from kaggle_kernels.package.json_models import STRICT, parse_json
from kaggle_kernels.push.kernel import await_kernel, pushed_kernel
from kaggle_kernels.push.pending import Pending, alone, unanswered
from kaggle_kernels.push.receipts import LAG_SECONDS, Receipt, Source, iso
from shared.artifacts.files import write_json
from shared.artifacts.leaderboard import SCORE_FILE, ScoreRecord
from shared.task.current import TASK

LOOK_SECONDS = 180.0  # One run looks so long for a submission that must be there, or may be.


class SubmissionFile(BaseModel):
    """submission.json of a run: what was entered, and the scores as Kaggle writes them, "" without one."""

    model_config = STRICT
    ref: int
    kernel: str
    version: int
    digest: str
    sources: dict[str, Source]
    models: dict[str, str]  # as they were when the kernel was pushed: a run may be trained again
    public_score: str
    private_score: str
    time: str


def submit(kaggle: Kaggle, competition: str, slug: str, wait: float, again: bool, say) -> str:
    """Enter the version in the receipt and wait for its score; a sentence. What is entered is only waited for.

    One that ended as ERROR is entered once more if `again`.
    """
    version = await_kernel(kaggle, kaggle.clock, slug, wait, say)
    if TASK.submission.file not in (names := kernel_output(kaggle, slug, version)):
        raise Refused(
            f"{slug} version {version} left no {TASK.submission.file} (but {', '.join(names) or 'nothing'}), and Kaggle"
            " would refuse it: just push-kernel iter=1 runs it once more"
        )
    receipt = pushed_kernel(slug, kaggle.owner)
    description = describe_submission(receipt, slug)
    with alone(f"{slug}-submission") as folder:
        pending = Pending(folder / "push.json", description)
        if not pending.sent and _is_recorded(receipt, f"{kaggle.owner}/{slug}"):
            pending.sending(0, kaggle.clock.now())  # it is known to be there, whatever a listing says
            pending.answered()
        found = _entered(kaggle, competition, description, pending)
        if not found or (again and found.status == "ERROR"):
            left = submissions_left(kaggle, competition)
            if left < 1:
                raise Refused(f"{competition} takes no more submissions today: run just submit after midnight UTC")
            pending.sending(found.ref if found else 0, kaggle.clock.now())
            _enter(kaggle, competition, (slug, version), pending, description)
        done = _score(kaggle, competition, description, pending, wait, say)
        pending.forget()
    _write_scores(kaggle.clock, receipt, f"{kaggle.owner}/{slug}", done)
    scores = f"public {done.public_score or '-'}, private {done.private_score or '-'}"
    return f"submission {done.ref} of {slug} version {version}: {scores}"


def _write_scores(clock: Clock, receipt: Receipt, kernel: str, done: Submission) -> None:
    """Write submission.json into the run that the kernel's models came from."""
    file = SubmissionFile(
        ref=done.ref,
        kernel=kernel,
        version=receipt.version,
        digest=receipt.digest,
        sources=receipt.sources,
        models=receipt.models,
        public_score=done.public_score,
        private_score=done.private_score,
        time=iso(clock.now()),
    )
    run = Path(receipt.run)
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / SCORE_FILE, file.model_dump(), mode=0o644)


def _is_recorded(receipt: Receipt, kernel: str) -> bool:
    """Whether the run's submission.json is of this very version."""
    path = Path(receipt.run) / SCORE_FILE
    if not path.is_file():
        return False
    file = parse_json(ScoreRecord, path.read_bytes(), path, "take it from git, or delete it")
    return (file.kernel, file.version, file.digest) == (kernel, receipt.version, receipt.digest)


def describe_submission(receipt: Receipt, slug: str) -> str:
    """What tells this submission from every other: only the version in the receipt has it."""
    return f"malrule {receipt.tag}: {slug} version {receipt.version} {receipt.digest[:12]}"


def _enter(kaggle: Kaggle, competition: str, kernel: tuple[str, int], pending: Pending, description: str) -> None:
    try:
        enter_submission(kaggle, competition, *kernel, description)
    except Refused:
        pending.not_sent()
        raise
    except Lost:
        if not _entered(kaggle, competition, description, pending) or not pending.sent:
            raise Refused("Kaggle never answered the submission, nor shows it: run just submit again") from None
    pending.answered()


def _entered(kaggle: Kaggle, competition: str, description: str, pending: Pending) -> Submission | None:
    """The submission with this description, of two the one that was sent last; None when there is none.

    Refused while nobody can know.
    """
    began, clock = kaggle.clock.now(), kaggle.clock
    while not (found := find_submission(kaggle, competition, description, _before(pending))) and pending.sent:
        age = clock.now() - pending.sent.time
        if not pending.sent.answered and age > LAG_SECONDS:
            pending.not_sent()
        elif clock.now() - began > LOOK_SECONDS:
            raise Refused(
                f"{competition} does not list the submission yet: run just submit again; it is not entered twice"
                if pending.sent.answered
                else unanswered("the submission", pending.sent)
            )
        else:
            clock.sleep(15.0)
    return found


def _before(pending: Pending) -> int:
    """The reference of the submission that failed, and after which another one was sent; 0 for none."""
    return pending.sent.previous if pending.sent else 0


def _score(kaggle: Kaggle, competition: str, description: str, pending: Pending, wait: float, say) -> Submission:
    deadline, pause, shown = kaggle.clock.now() + wait, 15.0, False
    while True:
        found = find_submission(kaggle, competition, description, _before(pending))
        if found and found.status == "COMPLETE":
            return found
        if found and found.status == "ERROR":
            raise Refused(
                f"submission {found.ref} failed at Kaggle: {found.error or 'it gives no reason'}; just submit --again"
                " enters the same version once more"
            )
        if kaggle.clock.now() >= deadline:
            raise Refused(
                "the submission has no score yet: run just submit again to go on waiting; it is not entered twice"
            )
        if not shown:
            say("the submission is being scored")
        shown = True
        kaggle.clock.sleep(pause)
        pause = min(1.5 * pause, 120.0)
