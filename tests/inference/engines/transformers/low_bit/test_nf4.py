"""Guards nf4.py: blocks of 64 weights are rounded and given back as QLoRA has it, worked out by hand."""

import pytest
import torch

from inference.engines.transformers.low_bit import nf4
from inference.engines.transformers.low_bit.nibbles import pack, unpack


def test_the_first_of_two_numbers_lies_in_the_high_half_of_a_byte():
    assert pack(torch.tensor([1, 2, 15, 0], dtype=torch.uint8)).tolist() == [0x12, 0xF0]
    assert unpack(torch.tensor([0x12, 0xF0], dtype=torch.uint8)).tolist() == [1, 2, 15, 0]


def test_a_weight_becomes_the_nearest_of_sixteen_numbers_times_the_largest_of_its_block():
    weights = torch.zeros(64)
    weights[:6] = torch.tensor([-2.0, 2.0, 0.0, 1.0, 0.16, -0.5])
    # over 2: -1 is number 0, 1 is 15, 0 is 7, 0.5 is nearest 0.4407 (12), 0.08 is 0.0796 (8), -0.25 is -0.2844 (4)
    parts = nf4.quantise(weights)
    assert parts.packed[:3].tolist() == [0x0F, 0x7C, 0x84]
    assert parts.offset.item() == 2.0 and parts.outer.tolist() == [0.0]  # one scale, which is the mean itself
    given_back = nf4.dequantise(parts, torch.float32)
    wanted = [-2.0, 2.0, 0.0, 0.88141965866, 0.15916059911, -0.56888276339]
    torch.testing.assert_close(given_back[:6], torch.tensor(wanted), rtol=1e-6, atol=0)
    assert not given_back[6:].any()


def test_scales_are_kept_in_eight_bits_less_their_mean():
    weights = torch.zeros(3, 64)
    weights[:, 0] = torch.tensor([1.0, 2.0, 6.0])  # mean 3; over the largest distance, 3: -2/3, -1/3, 1
    parts = nf4.quantise(weights)
    # the numbers of the largest exponent lie 0.9 / 64 apart, from 0.1 + 0.9 / 128 on: 40.3 and 16.6 steps up
    steps = [0.1 + 0.9 / 64 * (place + 0.5) for place in (40, 16)]
    wanted = [3 - 3 * steps[0], 3 - 3 * steps[1], 6.0]
    torch.testing.assert_close(nf4.dequantise_scales(parts), torch.tensor(wanted), rtol=1e-6, atol=0)
    assert parts.offset.item() == 3.0 and parts.outer.tolist() == [3.0]


def test_the_numbers_of_a_scale_are_256_between_minus_almost_one_and_one():
    code = nf4.scale_code(torch.device("cpu"))
    assert len(code) == 256 and code.tolist() == sorted(set(code.tolist()))
    assert code[-1] == 1.0 and code[0].item() == pytest.approx(-0.9929688)  # -(1 - 0.9 / 128)
    assert 0.0 in code.tolist() and code[code > 0].min().item() == pytest.approx(5.5e-7)  # 10**-6 * (0.1 + 1) / 2


def test_random_weights_lose_nine_percent():
    torch.manual_seed(0)
    weights = torch.randn(64, 1024)
    given_back = nf4.dequantise(nf4.quantise(weights), torch.float32).view(64, 1024)
    assert 0.088 < (given_back - weights).norm() / weights.norm() < 0.096  # docs: 0.092


def test_pieces_that_are_rounded_one_after_another_are_rounded_as_the_whole(monkeypatch):
    torch.manual_seed(0)
    weights = torch.randn(320, 64)
    whole = nf4.quantise(weights)
    monkeypatch.setattr(nf4, "CHUNK", 128)
    assert all(torch.equal(one, other) for one, other in zip(whole, nf4.quantise(weights), strict=True))


def test_weights_that_fill_no_whole_block_are_refused():
    with pytest.raises(ValueError, match=r"\[3, 50\] weights cannot be cut into blocks of 64"):
        nf4.quantise(torch.zeros(3, 50))


def test_the_bytes_are_those_of_bitsandbytes():
    """bitsandbytes 0.50.2, on a CPU: quantize_4bit of these 256 numbers, blocks of 64, nested."""
    weights = torch.sin(torch.arange(256) * 0.7) * (1 + torch.arange(256) // 64)  # four blocks
    parts = nf4.quantise(weights)
    assert parts.packed[:16].tolist() == PACKED and parts.scales.tolist() == SCALES
    given_back = nf4.dequantise(parts, torch.float32)
    assert [value.hex() for value in given_back[[1, 65, 130, 200]].tolist()] == GIVEN_BACK


PACKED = [126, 255, 179, 0, 23, 239, 235, 48, 1, 126, 254, 179, 0, 40, 239, 234]
SCALES = [0, 47, 207, 255]
GIVEN_BACK = ["0x1.7526660000000p-1", "0x1.ffa0f20000000p+0", "0x1.e7e9a40000000p-3", "0x1.ff51ae0000000p+1"]
