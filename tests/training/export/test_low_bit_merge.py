"""Guards the merge stage for bases in 4 bits: from NF4 into the 16 bits, from AWQ into its own numbers."""

import numpy as np
import pytest
from peft import PeftModel

from inference.engines.transformers.engine import HFScorer, load_causal, load_reranker
from inference.machine.profiles import load_profile
from shared.artifacts.manifest import write_manifest
from shared.settings.sections import Lora, Settings
from tests.packed_models import make_packed
from tests.training.tiny import CPU, DECODER, randomise
from training.export.merge_models import _probing, merge_reranker
from training.run_folder.base_models import weights_digest
from training.run_folder.stage_context import StageContext
from training.trainer.lora import add_lora, save_adapter

PROMPTS = [[2, 30, 31, 50], [2, 30, 31, 51, 52], [2, 40, 53, 54]]


def settings_of(base, weights):
    return Settings(
        machine={"device": "cpu", "profile": "cpu"},
        embedder={"base": str(base)},
        reranker={"base": str(base), "weights": weights},
        merge_embedder={"epoch": 1},
        merge_reranker={"epoch": 1},
    )


@pytest.mark.parametrize("weights", ["nf4", "packed"])
def test_the_merged_reranker_scores_as_the_adapter_does_on_the_base_that_it_goes_into(
    weights, tiny_qwen, tmp_path, capsys
):
    base = tiny_qwen if weights == "nf4" else make_packed(tiny_qwen, tmp_path / "packed", "awq")
    trained, out = tmp_path / "run/full/train_reranker", tmp_path / "out"
    adapted = add_lora(
        load_causal(base, "float32", CPU, weights=weights), Lora(rank=4, alpha=12, targets=DECODER), seed="x"
    )
    save_adapter(randomise(adapted), trained / "epoch_1")
    trained_scores = HFScorer(adapted.eval().get_base_model(), 101, 100).score(PROMPTS)
    write_manifest(trained, {"base_sha256": weights_digest(base)})
    out.mkdir()
    lineage = merge_reranker(StageContext(settings_of(base, weights), trained.parent, out, ""))
    assert lineage["base_sha256"] == weights_digest(base)
    assert not (out / "base").exists()  # the 16 bits that AWQ was merged in
    served = HFScorer(load_reranker(out, "float32", CPU), 0, 100).score(PROMPTS)
    said = capsys.readouterr().out
    if weights == "packed":
        np.testing.assert_allclose(served, trained_scores, atol=0.02)  # of a weight, float16 keeps 11 bits
        assert "of 4 bits" not in said
    else:  # the 16 bits are not what was trained on, and it is said by how much
        assert "it answers otherwise than what was trained, on weights of 4 bits, by " in said
        dense = PeftModel.from_pretrained(load_causal(base, "float32", CPU), str(trained / "epoch_1")).eval()
        np.testing.assert_allclose(served, HFScorer(dense.get_base_model(), 101, 100).score(PROMPTS), atol=1e-5)
        assert np.abs(served - trained_scores).max() > 0.01


def test_a_merge_is_proved_where_16_bits_have_room():
    h100 = load_profile("h100")
    assert _probing(settings_of("base", "nf4").reranker, h100) == ("bfloat16", CPU)
    assert _probing(settings_of("base", "packed").reranker, load_profile("cpu")) == ("float32", CPU)
