"""Guards calibration.py: what is reranked and what decides the order, by hand; a bad file is one sentence."""

import json
from pathlib import Path

import polars as pl
import pytest

from inference.fusion.calibration import (
    CALIBRATION_FILE,
    Calibration,
    Fitted,
    apply,
    calibration_of,
    check_ids,
    plain,
    read_calibration,
    select_candidates,
    write_calibration,
)
from inference.fusion.ensemble import Member, Models
from inference.reranking.order import order_by_score
from shared.artifacts.manifest import write_manifest
from shared.task.tables import CANDIDATES, RANKED

LABELLED = (1, 2, 3, 4, 5)
SCORED = {"query_id": pl.String, "misconception_id": pl.Int64, "rerank_score": pl.Float32}


def calibration(**changes):
    return Calibration(**{"retrieved": 25, "depth": 2, "labelled": LABELLED, **changes})


@pytest.fixture
def candidates():
    """Two queries; from 6 on nobody labelled the id."""
    rows = [("a", 1, 0.9), ("a", 6, 0.8), ("a", 2, 0.7), ("a", 7, 0.6), ("a", 3, 0.5), ("a", 8, 0.4), ("a", 9, 0.3)]
    rows += [("b", 9, 0.9), ("b", 8, 0.8), ("b", 1, 0.7), ("b", 2, 0.6)]
    ranks = [*range(1, 8), *range(1, 5)]
    return pl.DataFrame(
        [(query, id_, rank, score) for (query, id_, score), rank in zip(rows, ranks, strict=True)],
        schema=CANDIDATES.schema,
        orient="row",
    )


def ids(table, query_id):
    return table.filter(pl.col("query_id") == query_id).sort("rank")["misconception_id"].to_list()


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize(
    ("depth", "extra", "a", "b"),
    [
        (2, 0, [1, 6], [9, 8]),
        (2, 2, [1, 6, 7, 8], [9, 8]),  # behind rank 2, b has labelled ids only
        (1, 1, [1, 6], [9, 8]),
        (1, 9, [1, 6, 7, 8, 9], [9, 8]),
        (3, 1, [1, 6, 2, 7], [9, 8, 1]),
    ],
)
def test_the_first_are_reranked_and_the_next_that_nobody_labelled(candidates, depth, extra, a, b, seed):
    if seed:
        candidates = candidates.sample(fraction=1, shuffle=True, seed=seed)
    chosen = select_candidates(candidates, calibration(depth=depth, extra=extra))
    assert (ids(chosen, "a"), ids(chosen, "b")) == (a, b)


@pytest.mark.parametrize(
    ("changes", "order"),
    [
        # rerank scores of 1, 6, 2, 7: 2.0, 1.0, 3.0, 1.0; equal ones by id; behind them 3, 8, 9 as retrieved
        ({}, [2, 1, 6, 7, 3, 8, 9]),
        # + 10 * retrieval: 1 -> 11, 6 -> 9, 2 -> 10, 7 -> 7
        ({"blend": 10.0}, [1, 2, 6, 7, 3, 8, 9]),
        # + 1.5 for 6 and 7: 2.5 each, between 2 and 1
        ({"offset": 1.5}, [2, 6, 7, 1, 3, 8, 9]),
        # 1 -> 11, 6 -> 9 + 1.5, 2 -> 10, 7 -> 8.5
        ({"blend": 10.0, "offset": 1.5}, [1, 6, 2, 7, 3, 8, 9]),
        # behind: 3 -> 0.5, 8 -> 0.4 + 0.15, 9 -> 0.3 + 0.15
        ({"tail_offset": 0.15}, [2, 1, 6, 7, 8, 3, 9]),
    ],
)
def test_the_order_follows_from_score_blend_and_offset(candidates, changes, order):
    scored = pl.DataFrame([("a", 1, 2.0), ("a", 6, 1.0), ("a", 2, 3.0), ("a", 7, 1.0)], schema=SCORED, orient="row")
    ranked = apply(candidates, scored, calibration(**changes))
    RANKED.check(ranked, "ranked")
    assert ids(ranked, "a") == order


def test_without_a_score_the_order_is_that_of_retrieval_with_its_offset(candidates):
    nothing = pl.DataFrame(schema=SCORED)
    assert ids(apply(candidates, nothing, plain()), "a") == [1, 6, 2, 7, 3, 8, 9]
    # 1 -> 0.9, 6 -> 1.05, 2 -> 0.7, 7 -> 0.85, 3 -> 0.5, 8 -> 0.65, 9 -> 0.55
    assert ids(apply(candidates, nothing, calibration(tail_offset=0.25)), "a") == [6, 1, 7, 2, 8, 9, 3]


def test_the_plain_calibration_is_the_rerankers_own_order(candidates):
    near = select_candidates(candidates, plain(3))
    scored = near.select("query_id", "misconception_id", pl.Series("rerank_score", [1, 2, 0, 0, 1, 2], pl.Float32))
    assert apply(candidates, scored, plain(3)).equals(order_by_score(candidates, scored))


def test_a_calibration_is_read_as_it_was_written(tmp_path):
    made = calibration(extra=5, blend=12.5, offset=0.75, fitted=Fitted(iteration="iter1", splits={"cv2": "0" * 64}))
    write_calibration(made, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CALIBRATION_FILE]
    assert read_calibration(tmp_path) == made
    assert read_calibration(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("{", "is damaged (Expecting property name"),
        ("[]", "holds a list"),
        ({"depth": 0}, "depth: Input should be greater than or equal to 1"),
        ({"depth": 26}, "depth 26 is more than the 25 retrieved"),
        ({"depth": "2"}, "depth: Input should be a valid integer"),
        ({"offset": None}, "offset: Input should be a valid number"),
        ({"blend": -1.0}, "blend: Input should be greater than or equal to 0"),
        ({"boost": 1.0}, "boost: Extra inputs are not permitted"),
        ({"labelled": [3, 1]}, "labelled is not in order, or has an id twice"),
        ({"labelled": [-1]}, "labelled.0: Input should be greater than or equal to 0"),
        ({"fitted": {"iteration": "iter1", "splits": {"cv": "short"}}}, "fitted.splits.cv: String should match"),
    ],
)
def test_a_file_that_is_no_calibration_is_one_sentence(tmp_path, change, words):
    text = change if isinstance(change, str) else json.dumps(json.loads(calibration().model_dump_json()) | change)
    (tmp_path / CALIBRATION_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="calibration.json ") as error:
        read_calibration(tmp_path)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_number_that_is_none_is_refused(tmp_path):
    for number in ("NaN", "Infinity"):
        (tmp_path / CALIBRATION_FILE).write_text(
            calibration(offset=1.5).model_dump_json().replace("1.5", number), encoding="utf-8"
        )
        with pytest.raises(ValueError, match="is no calibration of this version"):
            read_calibration(tmp_path)


def test_which_calibration_counts_is_said(tmp_path, capsys):
    with_one, without = tmp_path / "with", tmp_path / "without"
    with_one.mkdir()
    without.mkdir()
    made = calibration(depth=20, fitted=Fitted(iteration="iter1", splits={"cv": "0" * 64, "cv2": "1" * 64}))
    write_calibration(made, with_one)

    def models(folder, average="score"):
        return Models((Member(Path("e")),), (Member(folder), Member(without)), average)

    assert calibration_of(models(with_one)) == made
    assert "depth 20, extra 0, blend 0, offset 0, tail offset 0, chosen on cv, cv2 of iter1" in capsys.readouterr().out
    assert calibration_of(models(with_one), depth=40) == made.model_copy(update={"depth": 40, "retrieved": 40})
    assert calibration_of(models(with_one), ignore=True) == plain(25)
    assert "none: ignored as asked" in capsys.readouterr().out
    assert calibration_of(models(without), depth=3) == plain(3)
    assert f"none: {without} has no calibration.json" in capsys.readouterr().out
    with pytest.raises(ValueError, match="was chosen for scores: average scores, or add --no-calibration"):
        calibration_of(models(with_one, "rank"))
    with pytest.raises(ValueError, match="depth is 0: rerank at least 1 candidate"):
        calibration_of(models(without), depth=0)


@pytest.mark.parametrize(
    ("lineage", "depth"),
    [
        ({"all_settings": {"evaluate": {"depth": 10}}}, 10),  # a merged model
        ({"settings": {"evaluate": {"depth": 12}, "quantize": {}}}, 12),  # a quantised one
        ({"stage": "merge_reranker"}, 25),
        (None, 25),  # no manifest
    ],
)
def test_without_a_calibration_as_many_are_reranked_as_were_when_the_model_was_evaluated(tmp_path, lineage, depth):
    (tmp_path / "x").write_text("x", encoding="utf-8")
    if lineage is not None:
        write_manifest(tmp_path, lineage)
    models = Models((Member(Path("e")),), (Member(tmp_path),))
    assert calibration_of(models) == plain(depth)
    assert calibration_of(models, depth=7) == plain(7)


def test_a_calibration_of_other_data_is_refused():
    check_ids(calibration(), {1, 2, 3, 4, 5, 6})
    with pytest.raises(ValueError, match="calls misconception 5 labelled, which this competition does not have"):
        check_ids(calibration(), {1, 2, 3, 4})


def test_a_changed_digit_is_seen_wherever_the_file_lies_and_one_by_hand_needs_no_checksum(tmp_path):
    made = calibration(blend=12.5, offset=0.75)
    write_calibration(made, tmp_path)
    path = tmp_path / "calibration.json"
    path.write_text(path.read_text(encoding="utf-8").replace("12.5", "17.5"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"calibration.json is damaged, as its sha256 says: `just calibrate`"):
        read_calibration(tmp_path)
    path.write_text(made.model_dump_json(), encoding="utf-8")
    assert read_calibration(tmp_path) == made
