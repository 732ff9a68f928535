"""Names the ways to split the labelled queries into folds, and what the hidden test is like."""

DRAWS = ("cv", "cv2", "cv3", "cv4")  # each holds out other misconceptions: how far a figure depends on which
SPLITS = (*DRAWS, "questions", "full")  # questions holds out questions only; full trains on everything
UNSEEN = 0.75  # By the 3rd place's probe, 0.74 of the hidden test's rows have a misconception that train.csv has not.


def holds_out(split: str) -> bool:
    """Whether `split` keeps data for validation, so that it ends in evaluate."""
    return split != "full"


def fold_seed(seed: str, split: str) -> str:
    """The seed of a split's folds: `seed` itself, and "seed/N" for draw N."""
    number = DRAWS.index(split) + 1 if split in DRAWS else 1
    return seed if number == 1 else f"{seed}/{number}"
