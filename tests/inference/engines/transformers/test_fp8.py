"""Guards fp8.py: a linear layer in 8 bits stays close to itself, forwards and backwards."""

import pytest
import torch
from torch import nn

from inference.engines.transformers.engine import load_causal
from inference.engines.transformers.fp8 import Fp8Linear, quantise, use_fp8
from shared.settings.sections import Lora
from tests.training.tiny import CPU, DECODER
from training.trainer.lora import add_lora


def test_a_rows_largest_value_is_kept_and_its_scale_gives_it_back():
    eighth, scale = quantise(torch.tensor([[4.0, -896.0], [0.0, 0.0]]))
    assert (eighth.float() * scale).tolist() == [[4.0, -896.0], [0.0, 0.0]]
    assert scale[0].item() == 2.0  # 896 / 448


@pytest.mark.parametrize("bias", [True, False])
def test_product_and_gradient_are_off_by_a_few_percent(bias):
    torch.manual_seed(0)
    linear = nn.Linear(64, 48, bias=bias).bfloat16()
    x = torch.randn(3, 32, 64, dtype=torch.bfloat16, requires_grad=True)
    answers = []
    for layer in (linear, Fp8Linear(linear)):
        y = layer(x)
        (slope,) = torch.autograd.grad(y.sin().sum(), x)
        answers.append((y.detach(), slope))
    for exact, rounded in zip(*answers, strict=True):
        assert 0.01 < (exact - rounded).norm() / exact.norm() < 0.06  # 3 bits of fraction


def test_the_frozen_layers_are_replaced_under_their_adapters_and_nothing_else(tiny_qwen):
    model = load_causal(tiny_qwen, "bfloat16", CPU)
    adapted = add_lora(model, Lora(targets=DECODER), seed="x")
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    use_fp8(model)
    layers = model.base_model.layers
    assert sum(isinstance(module, Fp8Linear) for module in layers.modules()) == 7 * len(layers)
    assert {name for name, parameter in adapted.named_parameters() if parameter.requires_grad} == trained
    assert type(model.get_output_embeddings()) is nn.Linear
