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


@pytest.mark.parametrize(("kind", "line"), [("listed", "listed_tokens"), ("cumulative", "passage_tokens")])
def test_a_list_that_is_longer_than_base_or_machine_reads_is_refused_before_anything_runs(
    kind, line, tiny_qwen, tmp_path
):
    said = [f"reranker.kind={kind}", "reranker.window=5", "reranker.query_tokens=200", "reranker.instruction=Q?"]
    check_bases(load_settings("demo0", [f"reranker.base={tiny_qwen}", *said]))  # which has 1,024 positions
    folder = shutil.copytree(tiny_qwen, tmp_path / "base")
    long = [f"reranker.base={folder}", *said[:1], "reranker.window=100", *said[2:]]
    with pytest.raises(ValueError, match="room for 1024 tokens.*query_tokens, now 200, or off a list of 100"):
        check_bases(load_settings("demo0", long))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 30000}), encoding="utf-8")
    with pytest.raises(ValueError, match=f"cpu_bf16 reads .* up to 2048 .* 100 candidates .*reranker.{line}"):
        check_bases(load_settings("demo0", [*long, "reranker.passage_tokens=33"]))
