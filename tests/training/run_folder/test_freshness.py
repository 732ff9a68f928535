"""Guards freshness.py: an output is up to date when what decided it is unchanged, and else the reason is named."""

import pytest

from shared.artifacts.manifest import write_manifest
from training.run_folder.freshness import Recipe, outdated, reasons_to_run

RECIPE = Recipe("train", "cv", {"train": {"rate": 0.1, "checkpoint_seconds": 300.0}}, {"runs/a": "11", "runs/b": "22"})


def changed(**values) -> Recipe:
    return Recipe(**{**vars(RECIPE), **values})


@pytest.fixture
def out(tmp_path):
    """An output that RECIPE made."""
    make(tmp_path / "train", {"fingerprint": RECIPE.fingerprint, "inputs": RECIPE.inputs, "settings": RECIPE.settings})
    return tmp_path / "train"


def make(folder, lineage):
    folder.mkdir(exist_ok=True)
    (folder / "x").write_text("x", encoding="utf-8")
    write_manifest(folder, lineage)


@pytest.mark.parametrize(
    ("recipe", "reasons"),
    [
        (RECIPE, []),
        (changed(settings={"train": {"rate": 0.1, "checkpoint_seconds": 1.0}}), []),
        (changed(settings={"train": {"rate": 0.2}}), ["train.rate: 0.1 -> 0.2"]),
        (changed(settings={"train": {"rate": 0.1, "clip": 1}}), ["train.clip: None -> 1"]),
        (changed(settings={"train": None}), ["train.rate: 0.1 -> None"]),
        (changed(inputs={"runs/a": "11", "runs/b": "23"}), ["runs/b changed"]),
        (changed(inputs={"runs/a": "11", "runs/b": None}), ["runs/b runs"]),
        (changed(inputs={"runs/a": "11", "runs/b": "22", "runs/c": "33"}), ["runs/c changed"]),
        (changed(split="cv2"), ["another version of malrule made it"]),
    ],
    ids=str,
)
def test_every_difference_is_a_reason_and_what_changes_no_result_is_none(out, recipe, reasons):
    assert reasons_to_run(out, recipe) == reasons


def test_what_is_not_whole_has_no_output(tmp_path):
    (tmp_path / "train").mkdir()
    assert reasons_to_run(tmp_path / "train", RECIPE) == ["it has no output"]


@pytest.mark.parametrize("lineage", [{}, {"inputs": []}, {"inputs": {}, "settings": "x"}, {"fingerprint": "1"}])
def test_an_output_of_an_older_version_is_named_and_made_again(tmp_path, lineage):
    make(tmp_path / "train", lineage)
    assert reasons_to_run(tmp_path / "train", RECIPE) == [
        f"{tmp_path}/train/manifest.json does not say what it was made from"
    ]


def test_an_evaluation_is_outdated_once_a_folder_that_it_read_has_changed(tmp_path):
    from shared.artifacts.manifest import digest

    make(tmp_path / "model", {})
    make(tmp_path / "evaluate", {"inputs": {str(tmp_path / "model"): digest(tmp_path / "model"), "gone": "00"}})
    assert outdated(tmp_path) == ""
    (tmp_path / "model/x").write_text("y", encoding="utf-8")
    write_manifest(tmp_path / "model", {})
    assert outdated(tmp_path) == f"{tmp_path} was evaluated before {tmp_path}/model changed"
