"""Guards check.py of bases: what a base has no room for is named by its setting, before anything runs."""

import json
import shutil

import pytest

from shared.settings.load import load_settings
from training.trainer.bases.check import check_bases


def test_a_question_that_is_longer_than_the_base_has_positions_is_named_by_its_setting(tiny_bert):
    base = f"miner.base={tiny_bert}"
    check_bases(load_settings("demo0", [base, "miner.query_tokens=510"]))  # and [CLS] and [SEP]
    said = (
        r"miner.base=.*: .* has room for 512 tokens, and a prompt may have 1026: take 514 off miner.query_tokens, now"
    )
    with pytest.raises(ValueError, match=said):
        check_bases(load_settings("demo0", [base, "miner.query_tokens=1024"]))


def test_a_base_that_vllm_computes_otherwise_is_refused_before_it_is_trained_where_vllm_is_to_read_it(
    tiny_causal, tmp_path
):
    folder = shutil.copytree(tiny_causal, tmp_path / "base")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "cohere2"}), encoding="utf-8")
    base = f"embedder.base={folder}"
    with pytest.raises(ValueError, match=r"embedder\.base=.* vLLM 0\.32 computes otherwise .*: use engine hf"):
        check_bases(load_settings("demo0", [base, "evaluate.engine=vllm"]))
    check_bases(load_settings("demo0", [base]))  # whose sections say hf
