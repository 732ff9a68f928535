"""Makes a small competition folder from training questions, so that a kernel's commit runs all that its rerun will."""

import random
import shutil
from pathlib import Path

import polars as pl

from shared.task.current import TASK
from shared.task.folds import seed_of
from shared.task.submission import read_labels, read_submission, score_submission

LABELS = "labels.csv"


def write_sample(competition: Path, folder: Path, count: int) -> None:
    """Fill `folder` with `count` training questions as its test, the same in every run, and with their labels."""
    train = competition / TASK.files.train
    if not train.is_file():
        raise ValueError(f"{train} does not exist: the sample is drawn from it, so mount the whole competition")
    table = pl.read_csv(train, infer_schema=False)
    rows = sorted(random.Random(seed_of("kernel sample")).sample(range(len(table)), min(count, len(table))))
    drawn = table[rows]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(competition / TASK.files.misconceptions, folder / TASK.files.misconceptions)
    test, labels = TASK.as_test(drawn)
    test.write_csv(folder / TASK.files.test)
    labels.write_csv(folder / LABELS)


def score_sample(folder: Path) -> str:
    """A sentence on the submission in `folder`, which must be valid."""
    data = TASK.read(folder, need_train=False)
    known = set(data.misconceptions["misconception_id"])
    submission = read_submission(folder / TASK.submission.file, data.test, known)
    labelled = read_labels(folder / LABELS, data.test)
    score = score_submission(submission, labelled)
    return (
        f"sample: {len(data.test)} rows of {TASK.files.train}, {TASK.metric.title} {score:.3f} over "
        f"{len(labelled)} labelled ones (the models may have been trained on them: it shows that all works, "
        "not how well)"
    )
