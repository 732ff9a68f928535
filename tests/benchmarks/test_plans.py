"""Guards the plans of experiments: a mistake in one would be found on a rented GPU."""

import pytest

from benchmarks.quality.plans import FOLDER, read_plan, slug
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


def test_a_plan_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(ValueError, match="there is no plan 'anser'; there are: answer, "):
        read_plan("anser")
