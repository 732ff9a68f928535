"""Makes a small competition folder from training questions, so that a kernel's commit runs all that its rerun will."""

from pathlib import Path

from shared.counted import count
from shared.task.current import TASK
from shared.task.submission import known_of, read_right, read_submission, score_submission
from shared.task.task import SAMPLE_LABELS


def write_sample(competition: Path, folder: Path, count: int) -> None:
    """Fill `folder` with `count` training questions as its test, the same in every run, and with their labels."""
    train = competition / TASK.files.train
    if not train.is_file():
        raise ValueError(f"{train} does not exist: the sample is drawn from it, so mount the whole competition")
    folder.mkdir(parents=True, exist_ok=True)
    TASK.write_sample(competition, folder, count, "kernel sample")


def score_sample(folder: Path) -> str:
    """A sentence on the submission in `folder`, which must be valid."""
    data = TASK.read(folder, need_train=False)
    known = known_of(data.misconceptions)
    submission = read_submission(folder / TASK.submission.file, data.test, known)
    right = read_right(folder / SAMPLE_LABELS, data.test, known)
    return (
        f"sample: {count(len(data.test), 'row')} of {TASK.files.train}, {TASK.metric.title} "
        f"{score_submission(submission, right):.3f} over {right['query_id'].n_unique()} labelled ones "
        "(the models may have been trained on them: it shows that all works, not how well)"
    )
