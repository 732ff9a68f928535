"""Checks what the benchmarks count and draw, by hand."""

import json
import time

import numpy as np
import pytest
import torch

from benchmarks.harness.adapters import cosine
from benchmarks.harness.arms import measure
from benchmarks.harness.floor import floor_seconds
from benchmarks.harness.results import Arm, Benchmark, Ready
from benchmarks.inputs.lengths import draw, draw_siblings
from benchmarks.inputs.shapes import SHAPES, build, text_of, twin, write_tokenizer
from benchmarks.inputs.workload import (
    draw_mining,
    draw_pairs,
    draw_texts,
    exact_group,
    instruction,
    instruction_first_group,
    mining_prefix,
    mining_rows,
    query_once_tokens,
    rows_of,
    trie_tokens,
)
from benchmarks.peers.checks import in_32_bits, score_errors
from benchmarks.peers.trainers import Updates

CPU = torch.device("cpu")
VOCABULARY = SHAPES["14b"].vocabulary


def test_the_body_of_the_14b_shape_has_13_212_million_weights():
    # 48 layers of 2 x 5120^2 + 2 x 5120 x 1024 + 3 x 5120 x 13824
    assert SHAPES["14b"].body == 48 * (52_428_800 + 10_485_760 + 212_336_640)


def test_a_body_counts_the_linear_weights_of_the_model_that_is_built():
    model = build(SHAPES["tiny"], CPU, torch.float32)
    linear = [module.weight.numel() for module in model.model.modules() if isinstance(module, torch.nn.Linear)]
    assert SHAPES["tiny"].body == sum(linear)


def test_the_floor_of_training_is_four_flops_a_weight_and_token():
    # 790e12 FLOP/s do 1,000 tokens of 13.212e9 weights x 4 in 66.9 ms
    assert floor_seconds(1000, SHAPES["14b"], train=True) == pytest.approx(0.06690, rel=1e-3)
    assert floor_seconds(1000, SHAPES["14b"], train=False) == pytest.approx(0.03345, rel=1e-3)


def test_drawn_lengths_follow_the_competition():
    rng = np.random.default_rng(0)
    queries, passages, icl = (draw(kind, 400_000, rng) for kind in ("query", "passage", "icl_query"))
    assert np.mean(queries) == pytest.approx(90, abs=1.5)
    assert np.percentile(queries, [50, 90, 99]) == pytest.approx([78, 147, 251], abs=4)
    assert np.mean(passages) == pytest.approx(14, abs=0.3)
    assert np.mean(icl) == pytest.approx(422, abs=5)
    assert np.percentile(icl, [90, 100]) == pytest.approx([617, 905], abs=5)
    assert np.mean(draw_siblings(20_000, rng)) == pytest.approx(2.35, abs=0.02)


def test_sharing_shrinks_a_group_as_counted_on_the_real_data():
    # a pair has about 150 tokens; a group of 16 has 1,038 with the query once and 423 with the instruction in front
    pairs, asked = draw_pairs(VOCABULARY, 500, 16, seed=1), instruction(VOCABULARY)
    exact, first = ([make(pair, asked) for pair in pairs] for make in (exact_group, instruction_first_group))
    assert np.mean([len(row) for group in exact for row in rows_of(group)]) == pytest.approx(151, abs=4)
    assert query_once_tokens(exact) / 500 == pytest.approx(1030, rel=0.03)
    assert query_once_tokens(first) / 500 == pytest.approx(423, rel=0.04)
    assert trie_tokens(row for group in first for row in rows_of(group)) < 0.85 * query_once_tokens(first)


def test_training_groups_are_of_questions_apart():
    # a shuffled epoch seldom puts two wrong answers of a question into an update: only "A:" is alike
    queries = [pair.query for pair in draw_pairs(VOCABULARY, 100, 0, seed=1, siblings=False)]
    assert trie_tokens(queries) == sum(map(len, queries)) - 2 * 99


def test_tokens_that_rows_begin_with_alike_are_counted_once():
    # 5 6 7 | 9 9 behind it | 8 instead of the 7: 3 + 2 + 1
    assert trie_tokens([[5, 6, 7], [5, 6, 8], [5, 6, 7, 9, 9]]) == 6
    # two queries of 2 with 2 passages of 1 and 2, and one of 3 with a passage of 1
    assert query_once_tokens([([5, 6], [[7], [7, 8]]), ([5, 6, 9], [[7]])]) == 2 + 3 + 3 + 1


def test_a_text_of_n_words_is_n_tokens(tmp_path):
    tokenizer = write_tokenizer(SHAPES["tiny"], tmp_path)
    work = draw_mining(SHAPES["tiny"].vocabulary, 3, 2, seed=1)
    for row in (*mining_rows(work)[0], *(text.query for text in draw_texts(512, 3, 2, seed=1))):
        assert tokenizer(text_of(row[:-1]))["input_ids"] == row
    assert len(mining_prefix(work)) == 110


def test_a_twin_shares_the_weights_and_not_the_modules():
    model = build(SHAPES["tiny"], CPU, torch.float32)
    other = twin(model)
    assert other.lm_head is not model.lm_head
    assert all(a is b for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_computing_in_32_bits_leaves_the_weights_as_they_were():
    model = build(SHAPES["tiny"], CPU, torch.bfloat16)
    before = [weight.clone() for weight in model.parameters()]
    with in_32_bits(model):
        assert model(input_ids=torch.tensor([[20, 21, 22]])).logits.dtype == torch.float32
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_kendalls_tau_counts_pairs_in_the_same_order():
    # of three pairs one is the other way round: (2 - 1) / 3
    errors = score_errors(np.array([1.0, 3.0, 2.0]), np.array([1.0, 2.0, 3.0]), 3)
    assert errors["kendall_tau"] == pytest.approx(1 / 3)
    assert errors["max_error"] == 1


def test_the_cosine_of_a_gradient_with_its_double_is_one():
    one = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0])}
    assert cosine(one, {name: 2 * value for name, value in one.items()}) == pytest.approx(1)
    assert cosine(one, {"a": torch.tensor([-2.0, 1.0]), "b": torch.tensor([0.0])}) == 0


def test_a_side_that_fails_or_gives_nan_costs_the_others_nothing(tmp_path):
    def good():
        return Ready(lambda: time.sleep(0.01), lambda: None, 1.0, lambda: {"loss": 1.0})

    def broken():
        raise RuntimeError("no such kernel")

    def sick():
        return Ready(lambda: None, lambda: None, 1.0, lambda: {"loss": float("nan")})

    arms = [
        Arm("ours", "x", good, 10, 2),
        Arm("one", "x", broken, 10, 2, seed=True),
        Arm("two", "x", sick, 10, 2),
        Arm("three", "x", good, 10, 2, seed=True),
    ]
    out = tmp_path / "out.json"
    stage = Benchmark(
        "test", SHAPES["tiny"], CPU, False, time.monotonic() + 60, out, {"shape": "tiny", "device": "cpu"}
    )
    measure(stage, arms)
    first, one, two, three = json.loads(out.read_text(encoding="utf-8"))["arms"]
    assert one["said"] == "RuntimeError: no such kernel"
    assert "not finite" in two["said"]
    assert len(first["seconds"]) == len(three["seconds"]) == 5
    assert set(first["times"]) == {"three"}
    assert first["times"]["three"]["seed"] == pytest.approx(1, rel=0.5)


def test_what_does_not_fit_into_the_time_is_said_and_left_out(tmp_path):
    slow = Arm("ours", "x", lambda: Ready(lambda: None, lambda: time.sleep(0.2), 0.01, dict), 1, 1)
    stage = Benchmark("test", SHAPES["tiny"], CPU, False, time.monotonic() + 5, tmp_path / "out.json", {})
    [result] = measure(stage, [slow])
    assert not result.seconds
    assert result.said.startswith("a pass takes about 2")  # a hundredth of it took 0.2 s


def test_a_peer_gets_the_updates_of_ours_one_after_the_other():
    assert list(Updates([2, 3, 1])) == [[0, 1], [2, 3, 4], [5]]
    assert len(Updates([2, 3, 1])) == 3
