"""Makes a small competition folder from training questions, so that a kernel's commit runs all that its rerun will."""

import random
import shutil
from pathlib import Path

import polars as pl

from shared.task.competition import LABEL_COLUMNS, OPTIONS, read_competition
from shared.task.folds import seed_of
from shared.task.submission import COLUMNS, read_labels, read_submission, score_submission

LABELS = "labels.csv"


def write_sample(competition: Path, folder: Path, count: int) -> None:
    """Fill `folder` with a test.csv of `count` questions of train.csv, the same in every run, and with their labels."""
    train = competition / "train.csv"
    if not train.is_file():
        raise ValueError(f"{train} does not exist: the sample is drawn from it, so mount the whole competition")
    table = pl.read_csv(train, infer_schema=False)
    rows = sorted(random.Random(seed_of("kernel sample")).sample(range(len(table)), min(count, len(table))))
    drawn = table[rows]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(competition / "misconception_mapping.csv", folder / "misconception_mapping.csv")
    drawn.drop(LABEL_COLUMNS).write_csv(folder / "test.csv")
    labels = [
        (f"{row['QuestionId']}_{option}", row[column].removesuffix(".0"))
        for row in drawn.iter_rows(named=True)
        for option, column in zip(OPTIONS, LABEL_COLUMNS, strict=True)
        if row[column]
    ]
    pl.DataFrame(labels, schema=list(COLUMNS), orient="row").write_csv(folder / LABELS)


def score_sample(folder: Path) -> str:
    """A sentence on the submission.csv in `folder`, which must be valid."""
    data = read_competition(folder, need_train=False)
    known = set(data.misconceptions["misconception_id"])
    submission = read_submission(folder / "submission.csv", data.test, known)
    labelled = read_labels(folder / LABELS, data.test)
    score = score_submission(submission, labelled)
    return (
        f"sample: {len(data.test)} rows of train.csv, MAP@25 {score:.3f} over {len(labelled)} labelled ones"
        " (the models may have been trained on them: it shows that all works, not how well)"
    )
