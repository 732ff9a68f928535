"""Guards cv.py and compare.py: means over draws, paired differences, and what may be compared."""

from pathlib import Path

import polars as pl
import pytest

from shared.artifacts.manifest import digest, write_manifest
from shared.settings.load import load_settings, write_settings
from shared.task.tables import POOLS, RANKS
from training.__main__ import main
from training.analysis.compare import paired_difference
from training.analysis.cv import measure_draws

HOW = {"unseen_weight": 0.75, "resamples": 200}


def ranks_of(ranks, pool="labelled", ranking="reranked", first=0):
    """A pair of a question of its own for each rank; the even places are seen."""
    rows = [(pool, ranking, f"{first + n}_A", first + n, 10, n % 2 == 0, rank) for n, rank in enumerate(ranks)]
    return pl.DataFrame(rows, schema=RANKS.schema, orient="row")


def evaluated(name, ranks, folds="folds"):
    """A run folder in which prepare and evaluate are done."""
    run = Path("runs", *name.split("/"))
    write_settings(load_settings("demo0"), run)
    (run / "prepare").mkdir()
    (run / "prepare/x").write_text(folds, encoding="utf-8")
    write_manifest(run / "prepare", {})
    tables = [
        ranks_of(ranks, pool, ranking, first=100 * len(run.name)) for pool in POOLS for ranking in ("bm25", "reranked")
    ]
    RANKS.write(pl.concat(tables), run / "evaluate")
    write_manifest(run / "evaluate", {"inputs": {str(run / "prepare"): digest(run / "prepare")}})


def test_the_figure_over_draws_is_the_mean_of_theirs_and_the_deviation_is_between_them():
    # seen 1 and 1/2: 0.75; unseen 1/4 and 0: 0.125; weighted 0.25 * 0.75 + 0.75 * 0.125 = 0.28125
    # seen 1 and 1: 1; unseen 1/2 and 1/2: 0.5; weighted 0.25 + 0.375 = 0.625
    figures = measure_draws([ranks_of([1, 4, 2, 30]), ranks_of([1, 2, 1, 2])], **HOW)
    mean, low, high, spread = figures["weighted"]
    assert mean == pytest.approx((0.28125 + 0.625) / 2) and low <= mean <= high
    # of two numbers: their difference over the square root of 2
    assert spread == pytest.approx((0.625 - 0.28125) / 2**0.5)
    assert figures["all"][0] == pytest.approx((1.75 / 4 + 3 / 4) / 2)


def test_draws_of_the_same_questions_do_not_narrow_the_interval_and_draws_of_others_do():
    one = ranks_of([1, 2, 3, 4, 5, 6, 1, 2, 9, 1] * 4)
    other = ranks_of([1, 2, 3, 4, 5, 6, 1, 2, 9, 1] * 4, first=1000)
    alone, same, apart = (measure_draws(tables, **HOW)["all"] for tables in ([one], [one, one], [one, other]))
    assert alone[1:3] == pytest.approx(same[1:3])
    # independent questions: the interval of the mean of two is narrower by the square root of 2, about 0.71
    assert 0.5 < (apart[2] - apart[1]) / (alone[2] - alone[1]) < 0.9


def test_a_part_that_a_draw_has_no_pairs_of_is_left_out():
    unseen = ranks_of([1, 2]).with_columns(seen=pl.lit(False))
    assert set(measure_draws([ranks_of([1, 2]), unseen], **HOW)) == {"all", "unseen"}


def test_a_difference_that_every_question_shares_has_no_width_although_the_figures_vary():
    # every pair goes from rank r to 2 r, so a figure halves, and a tenth of the questions is as sure as all of them
    a, b = [1, 2, 4, 8, 1, 2, 4, 8], [2, 4, 8, 16, 2, 4, 8, 16]
    before, after, difference, low, high, better = paired_difference([ranks_of(b)], [ranks_of(a)], **HOW)
    assert (after, difference) == (pytest.approx(2 * before), pytest.approx(before))
    assert 0 < low < difference < high and better == 1.0
    same = paired_difference([ranks_of(a)], [ranks_of(a)], **HOW)
    assert same[2:] == (0.0, 0.0, 0.0, 0.5)  # every resample is a tie


def test_the_table_takes_the_draws_that_are_evaluated_and_names_the_others(place, capsys):
    evaluated("demo0/cv", [1, 4, 2, 30])
    evaluated("demo0/cv3", [1, 2, 1, 2])
    assert main(["cv-table", "iter=demo0"]) == 0
    said = capsys.readouterr().out
    assert "misconceptions, 2" in said and "0.453 ±0.243" in said  # the mean and deviation of the first test
    assert [line for line in said.splitlines() if line.startswith("not")] == [
        f"not evaluated: runs/demo0/{split}" for split in ("cv2", "cv4", "questions")
    ]
    assert main(["cv-table", "iter=demo0", "draws=1"]) == 0
    assert "±0" not in capsys.readouterr().out


def test_a_run_of_which_something_changed_since_is_named_and_not_compared(place, capsys):
    for name in ("demo0/cv", "demo1/cv"):
        evaluated(name, [1, 4, 2, 30])
    for name in ("demo0", "demo1"):
        Path(f"runs/{name}/cv/prepare/x").write_text("other folds", encoding="utf-8")
        write_manifest(Path(f"runs/{name}/cv/prepare"), {})
    assert main(["cv-table", "iter=demo0"]) == 0
    sentence = "runs/demo0/cv was evaluated before runs/demo0/cv/prepare changed"
    assert sentence in capsys.readouterr().out.splitlines()
    assert main(["compare", "a=demo0", "b=demo1"]) == 2
    assert f"error: {sentence}: `just train` that split again" in capsys.readouterr().err


def test_two_iterations_are_compared_over_the_draws_that_both_have(place, capsys):
    evaluated("demo0/cv", [1, 4, 2, 30])
    evaluated("demo0/cv2", [1, 4, 2, 30])
    evaluated("demo1/cv", [1, 2, 1, 2])
    evaluated("demo1/cv4", [1, 2, 1, 2])
    assert main(["compare", "a=demo0", "b=demo1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "a  0.2812  reranked of runs/demo0/cv, labelled pool"
    assert said[1] == "b  0.6250  reranked of runs/demo1/cv, labelled pool"
    assert said[2].startswith("b - a  +0.3438 (95 %: ") and "better in 100%" in " ".join(said)
    assert main(["compare", "a=runs/demo0/cv:bm25", "b=runs/demo0/cv", "pool=catalogue"]) == 0
    assert "b - a  +0.0000 (95 %: +0.0000 to +0.0000)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cv"], "say which iteration"),
        (["cv", "iter=demo0", "draws=5"], "draws=5: say a number from 1 to 4"),
        (["cv", "iter=demo0", "split=cv"], "'split=cv' is none of iter=..."),
        (["cv-table", "iter=demo1"], "no evaluated run in runs/demo1/cv"),
        (["compare", "a=demo0"], "say a=RUN b=RUN"),
        (["compare", "a=demo0", "b=runs/demo0/cv"], "give two folders like runs/iter1/cv, or two iterations"),
        (["compare", "a=demo0", "b=demo9"], "there is no iteration 'demo9'"),
        (["compare", "a=demo0", "b=demo1"], "no draw is evaluated in both"),
        (["compare", "a=runs/demo0/cv", "b=runs/demo0/cv2"], "hold out different data"),
        (["compare", "a=runs/demo0/cv:best", "b=runs/demo0/cv"], "has no ranking 'best'; it has bm25, reranked"),
        (["compare", "a=runs/demo0/cv4", "b=runs/demo0/cv4"], "no seen or no unseen pairs"),
        (["compare", "a=runs/demo0/full", "b=runs/demo0/cv"], "runs/demo0/full/prepare/manifest.json does not exist"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(place, capsys, arguments, sentence):
    evaluated("demo0/cv", [1, 4, 2, 30])
    evaluated("demo0/cv2", [1, 4, 2, 30], folds="others")
    evaluated("demo0/cv4", [1])
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ") and sentence in said
