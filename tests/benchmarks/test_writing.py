"""Checks by hand what the benchmark of writing counts."""

import pytest

from benchmarks.inputs.shapes import SHAPES
from benchmarks.writing.__main__ import draw_prompts
from benchmarks.writing.floor import Load, floor_of


def test_the_32b_shape_has_31_2_thousand_million_weights_in_its_body():
    # 64 layers of 2 x 5120^2 + 2 x 5120 x 1024 + 3 x 5120 x 27648
    assert SHAPES["32b"].body == 64 * (52_428_800 + 10_485_760 + 424_673_280)


def test_the_floor_of_writing_counts_weights_once_for_all_texts_in_work():
    # 86 + 2,000 x 101 tokens are read, 650,000 written: 2 x 13.212e9 x 852,086 + 2 x 778.6e6 x 650,000 FLOPs
    # = 2.2515e16 + 1.0121e15; at 790e12 a second 29.78 s
    load = Load(2000, 86, 187, 325)
    floor = floor_of(SHAPES["14b"], load, 256, "NVIDIA H100 80GB HBM3")
    assert floor.flops == pytest.approx(29.78, rel=1e-3)
    # 8 rounds of 325 steps read 2 x (13.212e9 + 0.7786e9) bytes: 7.275e13. 650,000 tokens read 349 in front of them
    # of 2 x 48 x 1024 numbers with 2 bytes: 4.460e13. At 3.35e12 a second 35.03 s
    assert floor.bytes == pytest.approx(35.03, rel=1e-3)
    assert floor_of(SHAPES["14b"], load, 256, "NVIDIA H200").bytes == pytest.approx(35.03 * 3.35 / 4.8, rel=1e-3)
    assert floor_of(SHAPES["14b"], load, 2000, "H100").bytes < 17


def test_prompts_begin_alike_and_differ_behind_that():
    prompts = draw_prompts(SHAPES["tiny"], 3, seed=1)
    assert {len(prompt) for prompt in prompts} == {187}
    assert len({tuple(prompt[:86]) for prompt in prompts}) == 1 and len({tuple(prompt) for prompt in prompts}) == 3
    assert draw_prompts(SHAPES["tiny"], 3, seed=2)[0][:86] == prompts[0][:86]
