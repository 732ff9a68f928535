"""Guards linear.py: a layer in 4 bits computes as the dense one that it stands for, and keeps nothing of 16 bits."""

from functools import partial

import pytest
import torch
from torch import nn

from inference.engines.transformers.low_bit import integers, nf4
from inference.engines.transformers.low_bit.integers import from_awq
from inference.engines.transformers.low_bit.linear import PackedLinear
from inference.engines.transformers.low_bit.nf4 import quantise
from tests.packed_models import awq_parts

INPUTS, OUTPUTS = 64, 48


def layers(form, dtype, bias):
    """A layer in 4 bits and the dense one that it stands for."""
    torch.manual_seed(0)
    dense = nn.Linear(INPUTS, OUTPUTS, bias=bias, dtype=dtype)
    packed = PackedLinear(dense)
    weight = dense.weight.detach()
    packed.fill(quantise(weight) if form == "nf4" else from_awq(**awq_parts(weight)))
    dense.weight = nn.Parameter(packed.dense(dtype))
    return packed, dense


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", ["nf4", "integers"])
def test_answers_and_gradients_are_the_dense_layers_to_the_bit(form, dtype, bias):
    x = torch.randn(2, 5, INPUTS, dtype=dtype, requires_grad=True)
    answers = []
    for layer in layers(form, dtype, bias):
        y = layer(x)
        answers.append((y, *torch.autograd.grad(y.sin().sum(), x)))
    assert all(torch.equal(one, other) for one, other in zip(*answers, strict=True))


@pytest.mark.parametrize("form", ["nf4", "integers"])
def test_what_backward_needs_is_kept_in_4_bits(form):
    packed, _ = layers(form, torch.float32, True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        packed(torch.randn(3, INPUTS, requires_grad=True))
    assert sum(tensor.nbytes for tensor in kept) < 0.75 * INPUTS * OUTPUTS  # half a byte each, and the scales
    assert packed.weight.dtype == torch.uint8 and not packed.weight.requires_grad


@pytest.fixture
def compiling(monkeypatch):
    """vLLM on a CPU, which another test may have started in this process, switches compiling off."""
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "0")
    with torch._dynamo.config.patch(disable=False):
        yield


def test_a_compiled_layer_makes_its_weights_again_and_keeps_none_of_them(compiling):
    from functorch.compile import make_boxed_func, min_cut_rematerialization_partition
    from torch._dynamo.backends.common import aot_autograd

    packed, _ = layers("nf4", torch.float64, False)
    kept = []

    def forward(graph, inputs):
        [output] = [node for node in graph.graph.nodes if node.op == "output"]
        kept.extend(node.meta["val"] for node in output.args[0] if node is not None)
        return make_boxed_func(graph.forward)

    def backward(graph, inputs):
        return make_boxed_func(graph.forward)

    compiler = aot_autograd(fw_compiler=forward, bw_compiler=backward, partition_fn=min_cut_rematerialization_partition)
    x = torch.randn(7, INPUTS, dtype=torch.float64, requires_grad=True)
    compiled = torch.compile(lambda x: packed(x).sin(), backend=compiler, fullgraph=True)
    slopes = [torch.autograd.grad(run(x).sum(), x)[0] for run in (compiled, lambda x: packed(x).sin())]
    torch.testing.assert_close(*slopes)
    assert kept and not any(value.numel() == INPUTS * OUTPUTS for value in kept)


@pytest.mark.parametrize("form", ["nf4", "integers"])
def test_what_makes_16_bits_of_4_can_be_one_kernel(form, monkeypatch, compiling):
    packed, _ = layers(form, torch.bfloat16, False)
    wanted = packed.dense(torch.bfloat16)
    whole = partial(torch.compile, backend="aot_eager", fullgraph=True)
    for module in (nf4, integers):
        monkeypatch.setattr(module, "for_device", lambda function, device: whole(function))
    assert torch.equal(packed.dense(torch.bfloat16), wanted)


def test_weights_of_another_size_are_refused():
    packed, _ = layers("nf4", torch.float32, False)
    with pytest.raises(ValueError, match="4096 weights in 4 bits are there for 48 x 64"):
        packed.fill(quantise(torch.zeros(64, 64)))
