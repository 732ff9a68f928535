"""Guards sample.py: a commit's sample is a valid competition folder drawn from train.csv, with its labels."""

import polars as pl
import pytest

from inference.kernel.sample import score_sample, write_sample
from shared.task.eedi import read_competition
from shared.task.submission import read_labels
from shared.task.task import SAMPLE_LABELS
from tests.inference.conftest import publish
from training.synthesis.malrules.generate import write_competition


@pytest.fixture(scope="module")
def competition(tmp_path_factory):
    folder = tmp_path_factory.mktemp("competition")
    write_competition(folder, questions=40, test_questions=10)
    return folder


def test_the_sample_is_of_so_many_training_questions_with_their_own_texts_and_labels(competition, tmp_path):
    write_sample(competition, tmp_path / "sample", 7)
    drawn, train = read_competition(tmp_path / "sample", need_train=False), read_competition(competition).train
    assert drawn.test["question_id"].n_unique() == 7 and len(drawn.test) == 21  # three wrong options each
    same = drawn.test.drop("misconception_id", "fold").join(train, on="query_id", how="semi")
    assert len(same) == 21
    labelled = read_labels(tmp_path / "sample" / SAMPLE_LABELS, drawn.test).select("query_id", "misconception_id")
    wanted = train.join(drawn.test, on="query_id", how="semi").drop_nulls("misconception_id").select(labelled.columns)
    assert labelled.sort("query_id").equals(wanted.sort("query_id"))


def test_the_sample_is_the_same_every_time_and_never_larger_than_there_is(competition, tmp_path):
    for name in ("one", "two"):
        write_sample(competition, tmp_path / name, 7)
    assert (tmp_path / "one/test.csv").read_bytes() == (tmp_path / "two/test.csv").read_bytes()
    write_sample(competition, tmp_path / "all", 1000)
    whole = read_competition(tmp_path / "all", need_train=False)
    assert whole.test["question_id"].n_unique() == 40


def test_the_sample_is_scored_against_its_labels(competition, tmp_path):
    write_sample(competition, tmp_path, 7)
    data = read_competition(tmp_path, need_train=False)
    labelled = read_labels(tmp_path / SAMPLE_LABELS, data.test).select("query_id", "misconception_id")
    others = data.test.join(labelled, on="query_id", how="anti").select("query_id")
    any_id = data.misconceptions["misconception_id"][0]
    others = others.with_columns(misconception_id=pl.lit(any_id, pl.Int64))
    ranked = pl.concat([labelled, others]).with_columns(rank=pl.lit(1, pl.Int64))
    publish(ranked, data.test, tmp_path / "submission.csv")
    assert f"sample: 21 rows of train.csv, MAP@25 1.000 over {len(labelled)} labelled ones" in score_sample(tmp_path)


def test_a_competition_without_train_csv_is_said_to_be_incomplete(competition, tmp_path):
    with pytest.raises(ValueError, match="train.csv does not exist: the sample is drawn from it"):
        write_sample(tmp_path, tmp_path / "sample", 7)
