"""Guards load.py: a decoder in 4 bits is the one of 16 bits that its numbers stand for, and what cannot be is said."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from inference.engines.transformers.engine import HFScorer, load_backbone, load_causal
from inference.engines.transformers.low_bit.linear import PackedLinear
from tests.packed_models import dense_of, make_packed

CPU = torch.device("cpu")
ROWS = [[2, 30, 31, 50], [2, 30, 31, 51, 52], [2, 40, 53, 54]]
METHODS = {"awq": {}, "gptq": {}, "gptq, shuffled": {"shuffled": True}, "gptq, second": {"first_format": False}}


def with_dense_weights(model, dense):
    """`dense` with what the layers of `model` stand for."""
    modules = dict(dense.named_modules())
    for name, module in model.named_modules():
        if isinstance(module, PackedLinear):
            modules[name].weight = nn.Parameter(module.dense(dense.dtype))
    return dense


@pytest.mark.parametrize("load", [load_causal, load_backbone])
@pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen"])
def test_rounded_as_it_loads_a_model_answers_as_the_dense_one_of_these_weights(name, load, request):
    folder = request.getfixturevalue(name)
    model = load(folder, "float32", CPU, weights="nf4")
    assert sum(isinstance(module, PackedLinear) for module in model.modules()) == 14  # 7 in each of 2 layers
    dense, ids = with_dense_weights(model, load(folder, "float32", CPU)), torch.tensor(ROWS[1:2])
    with torch.no_grad():
        assert torch.equal(model(ids)[0], dense(ids)[0])


@pytest.mark.parametrize("case", METHODS)
@pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen"])
def test_a_hosted_model_scores_as_the_dense_one_of_its_numbers(name, case, request, tmp_path):
    base, how = request.getfixturevalue(name), METHODS[case]
    packed = make_packed(base, tmp_path / "packed", case.partition(",")[0], **how)
    dense = load_causal(base, "float32", CPU)
    with torch.no_grad():
        for path, parameter in dense.named_parameters():
            order = torch.randperm(parameter.shape[-1], generator=torch.Generator().manual_seed(0))
            order = order if how.get("shuffled") else None
            parameter.copy_(dense_of(parameter, order=order) if "_proj.w" in path else parameter.half())
    mine, wanted = (HFScorer(model, 101, 100).score(ROWS) for model in (load_causal(packed, "float32", CPU), dense))
    np.testing.assert_allclose(mine, wanted, atol=1e-6)


def test_parts_of_a_layer_may_lie_in_two_files(tiny_qwen, tmp_path):
    packed = make_packed(tiny_qwen, tmp_path / "packed", "gptq")
    wanted = HFScorer(load_causal(packed, "float32", CPU), 101, 100).score(ROWS)
    tensors = load_file(packed / "model.safetensors")
    (packed / "model.safetensors").unlink()
    names = sorted(tensors)
    files = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, own in files.items():
        save_file({name: tensors[name] for name in own}, packed / file)
    listed = {"metadata": {}, "weight_map": {name: file for file, own in files.items() for name in own}}
    (packed / "model.safetensors.index.json").write_text(json.dumps(listed), encoding="utf-8")
    assert HFScorer(load_causal(packed, "float32", CPU), 101, 100).score(ROWS).tolist() == wanted.tolist()


def test_an_encoder_is_not_held_in_4_bits(tiny_bert):
    with pytest.raises(ValueError, match=r"is a bert, and decoders alone are held in 4 bits: .*weights=full"):
        load_backbone(tiny_bert, "float32", CPU, weights="nf4")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bits": 8}, "is gptq in 8 bits, and 4 are read here"),
        ({"quant_method": "compressed-tensors"}, r"is quantised, which engine vllm reads \(compressed-tensors\)"),
        ({"quant_method": "awq", "version": "gemv"}, "is in AWQ's format gemv"),
    ],
)
def test_another_format_is_refused(changes, said, tiny_qwen, tmp_path):
    folder = make_packed(tiny_qwen, tmp_path / "packed", "gptq")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] |= changes
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        load_causal(folder, "float32", CPU)


def test_a_layer_without_one_of_its_parts_is_refused(tiny_qwen, tmp_path):
    folder = shutil.copytree(make_packed(tiny_qwen, tmp_path / "packed", "awq"), tmp_path / "cut")
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.scales"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"has no model\.layers\.1\.mlp\.up_proj\.weight that could be held in 4 bits"):
        load_causal(folder, "float32", CPU)
