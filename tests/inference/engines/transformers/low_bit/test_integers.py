"""Guards integers.py: layers of AWQ and GPTQ stand for (q - zero) * scale, however their numbers are stored."""

import pytest
import torch

from inference.engines.transformers.low_bit.integers import dequantise, from_awq, from_gptq
from tests.packed_models import awq_parts, dense_of, gptq_parts

HALF = torch.float16


def test_the_columns_of_an_awq_layer_stand_in_its_int32_in_the_order_0_2_4_6_1_3_5_7():
    # one input, eight outputs: from the lowest bits on 1 2 3 4 5 6 7 8, so column 0 is 1, column 1 is 5, 2 is 2, ...
    qweight, qzeros = torch.tensor([[-0x789ABCDF]]).int(), torch.tensor([[0x11111111]]).int()
    assert qweight.item() == 0x87654321 - 2**32
    scales = torch.full((1, 8), 0.5, dtype=HALF)
    layer = from_awq(qweight.expand(2, 1), qzeros, scales)  # the same for both inputs
    wanted = [(number - 1) * 0.5 for number in (1, 5, 2, 6, 3, 7, 4, 8)]
    assert dequantise(layer, HALF).tolist() == [[value, value] for value in wanted]


@pytest.mark.parametrize(("first_format", "zero"), [(True, 4), (False, 3)])
def test_the_inputs_of_a_gptq_layer_stand_in_order_and_its_first_format_stores_zeros_less_one(first_format, zero):
    qweight = torch.tensor([[0x76543210] * 8]).int()  # eight inputs 0 to 7 of each of eight outputs
    qzeros, scales = torch.tensor([[0x33333333]]).int(), torch.full((1, 8), 2.0, dtype=HALF)
    layer = from_gptq(qweight, qzeros, scales, torch.zeros(8).int(), first_format=first_format)
    assert dequantise(layer, HALF)[5].tolist() == [2.0 * (number - zero) for number in range(8)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_whole_awq_layer_is_what_its_numbers_stand_for_rounded_once_more_for_another_precision(dtype):
    torch.manual_seed(0)
    weight = torch.randn(48, 64)
    assert torch.equal(dequantise(from_awq(**awq_parts(weight)), dtype), dense_of(weight).to(dtype))


@pytest.mark.parametrize("first_format", [True, False])
@pytest.mark.parametrize("shuffled", [True, False])
def test_a_whole_gptq_layer_is_what_its_numbers_stand_for_in_groups_of_inputs_from_anywhere(shuffled, first_format):
    torch.manual_seed(0)
    weight = torch.randn(48, 64)
    parts = gptq_parts(weight, shuffled=shuffled, first_format=first_format)
    layer = from_gptq(*(parts[name] for name in ("qweight", "qzeros", "scales", "g_idx")), first_format=first_format)
    assert len(layer.groups) == (64 if shuffled else 0)  # in their order they need no list
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0)) if shuffled else None
    assert torch.equal(dequantise(layer, HALF), dense_of(weight, order=order))
