"""Guards attempt.py: what a killed attempt leaves is only gone on with where it belongs."""

import json
import time

import pytest

from shared.settings.load import load_settings
from training.pipeline.attempt import note_attempt
from training.run_folder.stage_context import StageContext


def test_an_attempt_with_other_base_weights_is_not_gone_on_with(tmp_path):
    context = StageContext(load_settings("demo0"), tmp_path, tmp_path / ".train_reranker.partial", "fingerprint")
    checkpoint = tmp_path / ".train_reranker.state" / "checkpoint"
    assert note_attempt(context, {"base_sha256": "a"}) == 0
    checkpoint.mkdir()
    (checkpoint / "progress.json").write_text("{}", encoding="utf-8")
    assert 0 <= note_attempt(context, {"base_sha256": "a"}) < time.time()
    with pytest.raises(ValueError, match="weights are others than when this training began: .* delete .*state"):
        note_attempt(context, {"base_sha256": "b"})
    assert json.loads((checkpoint.parent / "attempt.json").read_text(encoding="utf-8"))["base"] == {"base_sha256": "a"}
