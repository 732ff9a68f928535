"""Guards dequantise.py: a hosted base of 4 bits is written out as one of 16, and adapters are merged into that."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.engines.checks.model import check_model
from inference.engines.transformers.engine import HFScorer, load_causal
from shared.settings.sections import Lora
from tests.packed_models import dense_of, make_packed
from tests.training.tiny import CPU, DECODER, randomise
from training.export.dequantise import in_16_bits, write_dense
from training.export.merge import merge, moved_share
from training.trainer.lora import add_lora, save_adapter

PROMPTS = [[2, 30, 31, 50], [2, 30, 31, 51, 52], [2, 40, 53, 54]]


@pytest.mark.parametrize("method", ["awq", "gptq"])
def test_every_layer_becomes_the_weight_it_stands_for_and_all_else_stays(method, tiny_qwen, tmp_path):
    write_dense(make_packed(tiny_qwen, tmp_path / "packed", method), tmp_path / "dense")
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_qwen, tmp_path / "dense"))
    assert after.keys() == before.keys()  # the biases of zeros that AutoGPTQ adds are gone, those of Qwen2 are there
    for name, tensor in before.items():
        assert torch.equal(after[name], dense_of(tensor) if "_proj.w" in name else tensor.half())
    assert "quantization_config" not in json.loads((tmp_path / "dense" / "config.json").read_text(encoding="utf-8"))
    check_model(tmp_path / "dense")


def test_a_base_of_16_bits_is_left_where_it_is(tiny_qwen, tmp_path):
    with in_16_bits(tiny_qwen, tmp_path / "place") as whole:
        assert whole == tiny_qwen
    with in_16_bits(make_packed(tiny_qwen, tmp_path / "packed", "awq"), tmp_path / "place") as whole:
        assert whole == tmp_path / "place"
    assert not (tmp_path / "place").exists()


def test_what_was_trained_on_4_bits_scores_the_same_when_it_is_merged_into_their_weights(tiny_qwen, tmp_path):
    base = make_packed(tiny_qwen, tmp_path / "packed", "gptq", shuffled=True)
    adapted = add_lora(load_causal(base, "float32", CPU), Lora(rank=4, alpha=12, targets=DECODER), seed="x")
    save_adapter(randomise(adapted), tmp_path / "adapter")
    wanted = HFScorer(adapted.eval().get_base_model(), 101, 100).score(PROMPTS)
    with in_16_bits(base, tmp_path / "place") as whole:
        assert merge(whole, tmp_path / "adapter", tmp_path / "out") == 14  # 7 in each of 2 layers
    merged = HFScorer(load_causal(tmp_path / "out", "float32", CPU), 101, 100).score(PROMPTS)
    np.testing.assert_allclose(merged, wanted, atol=0.02)  # of a weight, float16 keeps 11 bits


def test_a_layer_without_one_of_its_parts_is_refused(tiny_qwen, tmp_path):
    base = make_packed(tiny_qwen, tmp_path / "packed", "awq")
    tensors = load_file(base / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.scales"]
    save_file(tensors, base / "model.safetensors")
    with pytest.raises(ValueError, match=r"lacks a part of model\.layers\.1\.mlp\.up_proj: fetch it again"):
        write_dense(base, tmp_path / "dense")


def test_how_far_a_merged_model_is_from_what_was_trained_is_a_share_of_the_adapters_effect():
    plain, merged, trained = np.array([0.0, 0.0]), np.array([3.0, 4.0]), np.array([3.0, 3.0])
    assert moved_share(plain, merged, trained) == pytest.approx(0.2)  # 1 of 5
