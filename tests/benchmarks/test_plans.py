"""Guards the plans of experiments: a mistake in one would be found on a rented GPU."""

from pathlib import Path

import pytest

from benchmarks.quality.arms import MADE_OF, Sequence, _is_made_of, words_of
from benchmarks.quality.plans import FOLDER, Plan, read_plan, slug
from shared.artifacts.files import write_json
from shared.settings.load import load_settings
from training.run_folder.names import NAME

PLANS = sorted(path.stem for path in FOLDER.glob("*.toml"))


@pytest.mark.parametrize("name", PLANS)
def test_every_arm_of_a_plan_has_settings_that_its_iteration_takes(name):
    plan = read_plan(name)
    for words in plan.arms.values():
        said = [word.removeprefix("iter=") for word in words if word.startswith("iter=")]
        settings = [word for word in words if not word.startswith("iter=")]
        load_settings((said or [plan.iteration])[0], [*plan.words, *settings])


@pytest.mark.parametrize("name", PLANS)
def test_every_arm_is_a_run_of_its_own(name):
    names = [slug(arm) for arm in read_plan(name).arms]
    assert len(set(names)) == len(names) and all(NAME.fullmatch(one) for one in names)


def test_arms_that_would_be_one_run_are_refused():
    with pytest.raises(ValueError, match="the arms a b and a\\+b have the same name as runs"):
        Plan(name="twice", arms={"a b": (), "a+b": ("reranker.orders=2",)})


def test_a_result_is_that_of_its_words_and_data_and_is_whole(tmp_path):
    made_of = {"words": ["iter=small0"], "data": "1"}
    result = tmp_path / "plain.cv.train"
    (tmp_path / "plain.cv.train.metrics.json").write_text("{}", encoding="utf-8")
    assert not _is_made_of(result, made_of)  # killed before the last file
    write_json(Path(f"{result}.{MADE_OF}"), made_of)
    assert _is_made_of(result, made_of) and not _is_made_of(result, {**made_of, "data": "2"})


def test_an_arm_may_be_of_another_iteration_and_seed():
    plan = Plan(name="p", words=("evaluate.depth=50",), arms={"second": ("iter=explained1", "reranker.orders=2")})
    iteration, words = words_of(Sequence(plan, "cv2", "b"), "second")
    assert iteration == "explained1" and words[:3] == ["iter=explained1", "as=second", "split=cv2"]
    assert words[3:] == ["evaluate.depth=50", "reranker.orders=2", "train_embedder.seed=b", "train_reranker.seed=b"]


def test_a_plan_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(ValueError, match="there is no plan 'anser'; there are: answer, "):
        read_plan("anser")
