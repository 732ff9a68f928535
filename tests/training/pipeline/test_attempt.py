"""Guards attempt.py: what a killed attempt leaves is only gone on with where it belongs, and plan says so."""

import json
import time

import pytest

from shared.settings.load import load_settings
from training.pipeline.attempt import checkpoint_note, note_attempt
from training.run_folder.freshness import Recipe
from training.run_folder.stage_context import StageContext

RECIPE = Recipe("train_reranker", "cv", {}, {"runs/a": "11"})


@pytest.fixture
def context(tmp_path):
    return StageContext(load_settings("demo0"), tmp_path, tmp_path / ".train_reranker.partial", RECIPE.fingerprint)


@pytest.fixture
def state(context):
    """An attempt that was killed behind a checkpoint."""
    assert note_attempt(context, {"base_sha256": "a"}) == 0
    state = context.out.with_suffix(".state")
    (state / "checkpoint").mkdir()
    (state / "checkpoint/progress.json").write_text("{}", encoding="utf-8")
    return state


def test_an_attempt_with_other_base_weights_is_not_gone_on_with(context, state):
    assert 0 <= note_attempt(context, {"base_sha256": "a"}) < time.time()
    with pytest.raises(ValueError, match="weights are others than when this training began: .* delete .*state"):
        note_attempt(context, {"base_sha256": "b"})
    assert json.loads((state / "attempt.json").read_text(encoding="utf-8"))["base"] == {"base_sha256": "a"}


def test_plan_promises_a_checkpoint_only_to_the_training_that_it_belongs_to(state):
    assert checkpoint_note(state, RECIPE) == ["goes on from its checkpoint"]
    for other in ({"runs/a": "12"}, {"runs/a": None}):
        note = checkpoint_note(state, Recipe("train_reranker", "cv", {}, other))
        assert note == ["leaves behind the checkpoint of a training with other settings or inputs"]
    (state / "checkpoint/progress.json").unlink()
    assert checkpoint_note(state, RECIPE) == []


@pytest.mark.parametrize("note", [b"", b"{", b"{}", b"\xff"])
def test_a_damaged_note_counts_as_none(context, state, note):
    (state / "attempt.json").write_bytes(note)
    assert checkpoint_note(state, RECIPE) == []
    assert note_attempt(context, {"base_sha256": "b"}) == 0
