"""Guards the names and the seeds of the splits."""

from shared.task.splits import DRAWS, SPLITS, fold_seed, holds_out


def test_every_draw_has_a_seed_of_its_own_and_the_first_the_one_that_is_set():
    assert [fold_seed("folds", split) for split in DRAWS] == ["folds", "folds/2", "folds/3", "folds/4"]
    assert fold_seed("folds", "questions") == "folds"
    assert [split for split in SPLITS if not holds_out(split)] == ["full"]
