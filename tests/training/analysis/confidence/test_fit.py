"""Guards how sure tags are said to be: a known truth is found again, and absence is told where it shows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from inference.fusion.confidence import RowScores, candidate_probabilities
from shared.task.current import about
from training.analysis.confidence.confidence import _split
from training.analysis.confidence.fit import Row, auroc, calibration_error, fit_rows, try_out


def made_up(count, scale=0.7, elsewhere=0.4, seed=1):
    """Rows whose right candidate is drawn by the very model that is fitted; without it their scores lack its best."""
    draw, rows = np.random.default_rng(seed), []
    for number in range(count):
        scores = np.sort(draw.normal(0, 2, 8))[::-1]
        sure = np.exp(np.append(scale * scores, elsewhere))
        right = int(draw.choice(9, p=sure / sure.sum()))
        near = 0.1 * scores
        kept = np.arange(8) != right
        gone = RowScores(scores[kept], near[kept])
        rows.append(Row(number % 4, 1.0, True, RowScores(scores, near), gone, right if right < 8 else None))
    return rows


def test_the_scale_and_the_chance_of_another_entry_are_found_again():
    fit = fit_rows(made_up(4000))
    assert fit.scale == pytest.approx(0.7, abs=0.05) and fit.elsewhere == pytest.approx(0.4, abs=0.12)


def test_probabilities_of_draws_that_a_fit_has_not_seen_are_right_as_often_as_they_say():
    _, error = try_out(made_up(2000))
    assert error < 0.04  # 200 rows in a bin: a standard error of 0.035 at a half


def test_a_sure_row_says_so():
    fit = fit_rows(made_up(1000))
    assert candidate_probabilities(np.array([20.0, 0.0]), fit, 0.0)[0] > 0.99


def test_auroc_counts_pairs_and_halves_ties():
    # positives 3 and 1, negatives 2 and 1: 3 beats both, 1 ties with 1 and loses to 2: 2.5 of 4 pairs
    assert auroc(np.array([True, True, False, False]), np.array([3, 1, 2, 1])) == 2.5 / 4


def test_absence_that_shows_in_the_scores_is_told_and_noise_is_not():
    draw = np.random.default_rng(2)
    clear, blind = [], []
    for number in range(200):
        there, gone = draw.normal(0, 1, 6), draw.normal(0, 1, 6)
        sides = [
            RowScores(np.sort(side)[::-1], np.sort(side)[::-1]) for side in (there + 3 * np.eye(6)[0], gone, there)
        ]
        clear.append(Row(number % 4, 1.0, True, sides[0], sides[1], 0))
        blind.append(Row(number % 4, 1.0, True, sides[2], sides[1], 0))
    assert try_out(clear)[0] > 0.9 and try_out(blind)[0] == pytest.approx(0.5, abs=0.1)


def test_absence_is_tried_on_all_rows_where_a_task_holds_no_entries_out():
    seen = [replace(row, unseen=False) for row in made_up(400)]
    assert try_out(seen)[0] == try_out(made_up(400))[0]


def test_of_several_right_answers_the_first_ranked_counts_and_all_are_taken_away():
    schema = ["query_id", "question_id", "misconception_id", "right", "grades"]
    valid = pl.DataFrame([("q", 1, 7, [7, 5], [2, 1])], schema=schema, orient="row")
    rows = [("q", id_, -float(rank), -float(rank)) for rank, id_ in enumerate((3, 5, 4, 7, 6))]
    ranked = pl.DataFrame(rows, schema=["query_id", "misconception_id", "score", "retrieval_score"], orient="row")
    with about("beir"):
        (row,) = _split(ranked, valid, {7}, 0)
    assert (row.right, row.weight, row.unseen) == (1, 1.0, False)  # 5 is second; 7 was seen; all count alike
    assert row.gone.scores.tolist() == [0.0, -2.0, -4.0]  # 3, 4 and 6 are left


def test_the_calibration_error_is_the_gap_within_bins():
    # ten bins of one row: 0.9 for something right is 0.1 off, 0.5 for something wrong 0.5, five of each: 0.3
    sure, right = np.repeat([0.5, 0.9], 5), np.repeat([False, True], 5)
    assert calibration_error(sure, right, np.ones(10)) == pytest.approx(0.3)
