"""Guards lineage.py: what a manifest says of its making is read as it was written; what it does not say is named."""

import json

import pytest

from shared.artifacts.lineage import Lineage, read_lineage
from shared.artifacts.manifest import write_manifest

STAGE = {
    "stage": "train_reranker",
    "iteration": "iter1",
    "split": "cv",
    "fingerprint": "f" * 64,
    "seconds": 12.0,
    "commit": "",
    "dirty": False,
    "code": "c" * 64,
    "inputs": {"runs/iter1/cv/teach_reranker": "b" * 64, "runs/iter1/cv/prepare": "a" * 64},
    "settings": {"train_reranker": {"rate": 1e-4, "lora": {"targets": ["q_proj"]}, "seed": "½"}, "miner": None},
}
MADE = {
    "trained": {"base_sha256": "d" * 64},
    "merged": {
        "base": "Qwen2.5-14B",
        "base_sha256": "d" * 64,
        "adapter": "train_reranker/epoch_3",
        "adapter_sha256": "e" * 64,
        "averaged": {"runs/iter1/cv2/train_reranker/epoch_3": "e" * 64},
        "all_settings": {"iteration": {"previous": ""}, "miner": None},
    },
    "quantised": {"scheme": "awq", "measured": {"cv": "f" * 64}},
    "of another version": {"colour": ["blue"]},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("made", MADE)
def test_a_lineage_that_was_written_as_a_dict_is_written_back_byte_for_byte(folder, made):
    write_manifest(folder, {**STAGE, **MADE[made]})
    before = (folder / "manifest.json").read_bytes()
    write_manifest(folder, read_lineage(folder).record())
    assert (folder / "manifest.json").read_bytes() == before
    write_manifest(folder, Lineage.model_validate({**MADE[made], **STAGE}).record())  # in whatever order it was said
    assert (folder / "manifest.json").read_bytes() == before


def test_what_was_not_said_is_none_and_is_not_written(folder):
    write_manifest(folder, {})
    assert read_lineage(folder).fingerprint is None
    assert read_lineage(folder).record() == {}


def test_what_is_needed_and_was_not_said_is_named_with_the_file(folder):
    write_manifest(folder, {"seconds": 0.0, "inputs": {}})
    assert read_lineage(folder, "seconds", "inputs").seconds == 0
    with pytest.raises(ValueError, match="^.*/manifest.json does not say the settings of its making: run again .*"):
        read_lineage(folder, "seconds", "settings")


def test_a_value_of_another_type_is_named_with_the_file(folder):
    write_manifest(folder, {"inputs": {"runs/iter1/cv/prepare": 7}})
    said = "^.*/manifest.json: lineage.inputs.runs/iter1/cv/prepare: Input should be a valid string; run again [^\\n]*$"
    with pytest.raises(ValueError, match=said):
        read_lineage(folder)
    (folder / "manifest.json").write_text(json.dumps({"files": {}, "lineage": []}), encoding="utf-8")
    with pytest.raises(ValueError, match="is no manifest"):
        read_lineage(folder)
