"""Guards calibrate.py, fit.py and replay.py: the replay is what predict does, and a known offset is found."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from inference.fusion.calibration import CALIBRATION_FILE, Calibration, apply, read_calibration, select_candidates
from shared.artifacts.manifest import verify_manifest, write_manifest
from shared.task.metrics import find_ranks, score_queries
from shared.task.tables import CANDIDATES, PAIR, QUERIES
from tests.training.analysis.calibrate.made_up_draws import LABELLED, write_draw
from training.analysis.calibrate.calibrate import calibrate
from training.analysis.calibrate.choose import Chooser, grid, labelled_share, leave_one_out, simplest
from training.analysis.calibrate.read_draws import read_draws
from training.analysis.calibrate.replay import Point, Rows, join_rows, replay, replay_retrieval, rows_of

PENALTY = 2.0


@pytest.fixture(scope="module")
def iteration(tmp_path_factory):
    """Three draws of 300 pairs."""
    place = tmp_path_factory.mktemp("runs") / "iter1"
    for seed, name in enumerate(("cv", "cv2", "cv4")):
        write_draw(place / name, seed, pairs=300, penalty=PENALTY, depth=25, extra=10)
    return place


@pytest.fixture(scope="module")
def fitted(iteration):
    calibrate(iteration)
    return iteration / "calibration"


def random_draw(seed):
    """Queries, candidates with scores (all reranked), and the ids that training rows carry: small, with many ties."""
    draw = np.random.default_rng(seed)
    rows = [(f"{number}_A", number // 2, *[""] * 5, int(draw.integers(0, 40)), "valid") for number in range(30)]
    queries = pl.DataFrame(rows, schema=QUERIES.schema, orient="row")
    tables = []
    for query_id in queries["query_id"]:
        count = int(draw.integers(27, 40))
        scores = -np.sort(-np.round(draw.normal(size=count), 1))
        ids = draw.permutation(40)[:count]
        order = np.lexsort((ids, -scores))
        tables.append(
            pl.DataFrame(
                {
                    "query_id": [query_id] * count,
                    "misconception_id": ids[order],
                    "rank": range(1, count + 1),
                    "retrieval_score": scores[order],
                },
                schema=CANDIDATES.schema,
            )
        )
    candidates = pl.concat(tables)
    scores = pl.Series("rerank_score", np.round(draw.normal(size=len(candidates)), 1), pl.Float32)
    return queries, candidates, candidates.select("query_id", "misconception_id", scores), set(range(0, 40, 2))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_replay_gives_what_predict_would_have_written(seed):
    queries, candidates, scored, seen = random_draw(seed)
    every = scored["misconception_id"].unique().to_list()
    rows = rows_of(0, queries, candidates.join(scored, on=["query_id", "misconception_id"]), every, seen)
    points = [Point(*point) for point in ((1, 0), (5, 0, 0.5), (4, 3, 0.0, 0.4), (25, 9, 1.5, -0.3), (10, 40), (40, 0))]
    for tail in (0.0, 0.3):
        replayed, retrieved = replay(rows, points, tail), replay_retrieval(rows, [tail])
        for number, point in enumerate(points):
            calibration = Calibration(retrieved=40, **point._asdict(), tail_offset=tail, labelled=tuple(sorted(seen)))
            near = select_candidates(candidates, calibration).select("query_id", "misconception_id")
            ranked = apply(candidates, scored.join(near, on=near.columns, how="semi"), calibration)
            expected = score_queries(find_ranks(queries, ranked))
            np.testing.assert_allclose(replayed[number], expected, atol=1e-7)
        ranked = apply(candidates, scored.clear(), calibration)
        expected = score_queries(find_ranks(queries, ranked))
        np.testing.assert_allclose(retrieved[0], expected, atol=1e-7)


def test_a_replay_measures_queries_with_several_right_answers_alike():
    queries, candidates, scored, seen = random_draw(1)
    others = queries[::3].with_columns(misconception_id=(pl.col("misconception_id") + 7) % 40)
    labels = pl.concat([queries, others])  # every third query has a second right answer
    every = scored["misconception_id"].unique().to_list()
    rows = rows_of(0, labels, candidates.join(scored, on=["query_id", "misconception_id"]), every, seen)
    assert rows.targets.shape == (30, 2) and rows.grades.tolist() == [[1, 1], [1, 0], [1, 0]] * 10
    calibration = Calibration(retrieved=40, depth=5, blend=0.5, labelled=tuple(sorted(seen)))
    near = select_candidates(candidates, calibration).select("query_id", "misconception_id")
    ranked = apply(candidates, scored.join(near, on=near.columns, how="semi"), calibration)
    expected = score_queries(find_ranks(labels, ranked))
    np.testing.assert_allclose(replay(rows, [Point(5, 0, 0.5)], 0.0)[0], expected, atol=1e-12)
    both = join_rows([rows, rows_of(1, queries, candidates.join(scored, on=PAIR), every, seen)])
    np.testing.assert_allclose(replay(both, [Point(5, 0, 0.5)], 0.0)[0, :30], expected, atol=1e-12)


def test_only_what_is_in_the_pool_competes_and_an_absent_answer_scores_nothing():
    queries, candidates, scored, seen = random_draw(1)
    ranked = candidates.join(scored, on=["query_id", "misconception_id"])
    rows = rows_of(0, queries, ranked, range(20), seen)
    assert rows.ids.max() == 19 and (rows.ids[:, 0] >= 0).all()
    inside = candidates.filter(pl.col("misconception_id") < 20)
    ranks = inside.with_columns(pl.col("rank").rank("ordinal").over("query_id").cast(pl.Int64))
    expected = score_queries(find_ranks(queries, ranks))
    assert expected.to_list().count(0.0) > 5
    np.testing.assert_allclose(replay_retrieval(rows, [0.0])[0], expected, atol=1e-7)
    together = join_rows([rows, rows_of(1, queries, ranked, range(40), seen)])
    np.testing.assert_allclose(replay_retrieval(together, [0.0])[0, :30], expected, atol=1e-7)


def made_rows(seen, questions):
    empty, one = np.zeros((len(seen), 1)), np.ones(len(seen))
    return Rows(one, np.array(questions), np.array(seen), empty, empty, empty, empty > 0, empty, one)


def test_the_simplest_point_within_a_standard_error_of_the_best_is_taken():
    # four unseen rows of four questions and one seen row; the weights are 0.75 / 4 each, and 0.25
    rows = made_rows([False] * 4 + [True], [1, 2, 3, 4, 5])
    best = [1.0, 1.0, 0.5, 0.5, 1.0]
    # one row lower by 1: mean 0.1875 lower. Around its mean the difference is 0.75, -0.25, -0.25, -0.25, times 0.1875:
    # the error is 0.1875 * sqrt(0.75) = 0.162, less than 0.1875
    assert simplest(np.array([[0.0, 1.0, 0.5, 0.5, 1.0], best], np.float32), rows, 0.75) == 1
    # two rows, one lower by 1 and one higher by 0.5: 0.09375 lower; around the mean of 0.125 it is 0.875, -0.625 and
    # -0.125 twice: the error is 0.1875 * sqrt(0.7656 + 0.3906 + 0.0313) = 0.204
    assert simplest(np.array([[0.0, 1.0, 1.0, 0.5, 1.0], best], np.float32), rows, 0.75) == 0
    # points that score the same on every row are the same, whatever 32 bits make of their means: the first is taken
    same = np.tile(np.float32([1.0, 1 / 3, 1 / 7, 1 / 11, 1 / 13]), (2160, 1))
    assert simplest(same, rows, 0.7) == 0
    # were the two rows of one question, they would move together: 0.1875 * sqrt(0.25 ** 2 + 0.0313) = 0.057
    rows = made_rows([False] * 4 + [True], [1, 2, 1, 4, 5])
    assert simplest(np.array([[0.0, 1.0, 1.0, 0.5, 1.0], best], np.float32), rows, 0.75) == 1


def test_the_pools_are_mixed_so_that_an_unlabelled_id_is_as_likely_as_in_the_test():
    # log(600 / 300) = 0.693 in the labelled pool, log(600 / 2400) = -1.386 in all; at last log(900 / 2100) = -0.847:
    # (-0.847 + 1.386) / (0.693 + 1.386) = 0.259
    assert labelled_share(600, 900, 3000) == pytest.approx(0.2592, abs=1e-4)
    assert labelled_share(600, 1000, 1100) == 1.0  # more than that is not to be had
    assert labelled_share(600, 900, 900) == 1.0


def test_points_come_simplest_first_and_ask_for_nothing_that_was_not_scored(iteration):
    points, tails = grid(read_draws(iteration))
    assert points[:4] == [Point(10), Point(15), Point(20), Point(25)]
    assert max(point.depth for point in points) == 25
    assert {point.extra for point in points} == {0, 3, 5, 10}
    assert len(set(points)) == len(points) == 4 * 4 * 5 * 12
    assert tails[0] == 0 and tails[1] > 0


def test_a_known_offset_is_found_and_gains_on_the_draw_that_was_left_out(iteration, fitted):
    made = read_calibration(fitted)
    # the right id has 3 more, all have noise of 1.5: 3 / 1.5 ** 2 = 1.33 nats a point. Log odds of -0.52
    # (labelled_share) + log 3 (three in four rows are unseen) are worth 0.43 points then, on top of the penalty of 2;
    # a step of the grid is 0.45
    assert made.offset == pytest.approx(PENALTY + 0.43, abs=0.46)
    assert made.labelled == tuple(range(LABELLED)) and made.fitted.iteration == "iter1"
    assert list(made.fitted.splits) == ["cv", "cv2", "cv4"]
    figures = json.loads((fitted / "figures.json").read_text(encoding="utf-8"))
    assert [facts["draw"] for facts in figures] == ["cv", "cv2", "cv4", "all"] * 3
    for facts in figures:
        if facts["ranking"] == "reranked" and facts["pool"] == "labelled":
            assert facts["low"] > 0.03, facts
            assert facts["with"]["unseen"] > 3 * facts["without"]["unseen"]
    assert {facts["chosen"].partition("offset")[0] for facts in figures if facts["draw"] == "all"} == {""}


def test_without_a_penalty_to_undo_little_is_chosen_and_little_is_lost(tmp_path):
    for seed, name in enumerate(("cv", "cv2")):
        # the 0.43 points that are left without a penalty (see above) are given in advance
        write_draw(tmp_path / "iter1" / name, seed, pairs=300, penalty=-0.43, depth=25, extra=0)
    chooser = Chooser(draws := read_draws(tmp_path / "iter1"), *grid(draws))
    gains = [
        facts["gain"] for facts in leave_one_out(chooser) if facts["pool"] == "labelled" and facts["draw"] == "all"
    ]
    assert min(gains) > -0.01
    assert abs(chooser.choose(draws.rows.draw >= 0).point.offset) < 0.5


def test_a_question_of_the_left_out_draw_chooses_nothing(iteration, tmp_path):
    place = tmp_path / "iter1"
    shutil.copytree(iteration / "cv", place / "cv")
    shutil.copytree(iteration / "cv", place / "cv2")  # all questions are shared
    with pytest.raises(ValueError, match="without the questions of cv too few rows are left: train another draw"):
        calibrate(place)
    (place / "cv" / "prepare" / "x").write_text("", encoding="utf-8")
    write_manifest(place / "cv" / "prepare", {})
    inputs = {str(place / "cv" / "prepare"): "as it was"}
    lineage = json.loads((place / "cv" / "evaluate" / "manifest.json").read_text(encoding="utf-8"))["lineage"]
    write_manifest(place / "cv" / "evaluate", {**lineage, "inputs": inputs})
    with pytest.raises(ValueError, match="cv was evaluated before .*/cv/prepare changed"):
        calibrate(place)
    assert not (place / "calibration").exists()


def test_a_calibration_is_whole_and_replaces_an_older_one(iteration, fitted):
    verify_manifest(fitted)
    assert sorted(path.name for path in fitted.iterdir()) == [CALIBRATION_FILE, "figures.json", "manifest.json"]
    first = (fitted / CALIBRATION_FILE).read_bytes()
    calibrate(iteration)
    assert (fitted / CALIBRATION_FILE).read_bytes() == first
    assert not (iteration / ".calibration.partial").exists()


def test_too_few_draws_or_draws_that_do_not_fit_are_one_sentence(iteration, tmp_path):
    place = tmp_path / "iter3"
    with pytest.raises(ValueError, match="has 0: just train iter=3 split=cv"):
        calibrate(place)
    shutil.copytree(iteration / "cv", place / "cv")
    with pytest.raises(ValueError, match="needs two evaluated draws of cv, cv2, cv3, cv4, and .* has 1: .* split=cv2"):
        calibrate(place)
    write_draw(place / "cv3", 5, pairs=50, depth=20)
    with pytest.raises(ValueError, match="cv3 and .*cv were evaluated on other data or with another pool, depth"):
        calibrate(place)
    assert not (place / "calibration").exists()
