"""Guards engine.py and forward.py: a batch's numbers are what the raw model says of each row alone."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize
from transformers import AutoModel, AutoModelForCausalLM

from inference.engines.tokenizer import load_tokenizer, yes_token
from inference.engines.transformers.attention import PACKED
from inference.engines.transformers.engine import HFEncoder, HFScorer, load_backbone, load_causal, open_encoder
from inference.engines.transformers.forward import LAST_FOREST_TOKENS, answer_together, embed, plan_batches, yes_logits
from inference.machine.profiles import Profile

CPU = torch.device("cpu")
QUERIES = [[2, 30], [2, 31, 32, 33], [34, 35, 36]]
PASSAGES = [[[40], [41, 42, 43]], [[44, 45], [46], [47, 48, 49, 50]], [[51 + place, 52] for place in range(40)]]
PAIRS = [[*query, *passage] for query, group in zip(QUERIES, PASSAGES, strict=True) for passage in group]
ROWS = [[2, 40, 41, 42, 43, 44, 45, 3], [2, 50, 3], [2, 60, 61, 62, 63, 3], [70], [2, 80, 81, 3]]  # ragged on purpose
LIKE = [[2, *range(100, 120)], [2, *range(100, 120), 30, 3], [2, *range(100, 120), 31], [2, *range(100, 118), 3]]
PROFILE = Profile(device="cpu", dtype="float32", batch_tokens=24, max_tokens=64)
MODELS = pytest.mark.parametrize(
    ("name", "pooling"), [("tiny_causal", "last"), ("tiny_qwen", "last"), ("tiny_bert", "mean")]
)
HEADS = pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen"])  # tied, untied


def full_logits(folder):
    """The whole model's logit of "Yes" at the last token of every pair, one pair at a time."""
    raw, yes = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval(),
        yes_token(load_tokenizer(folder)),
    )
    with torch.no_grad():
        logits = [raw(torch.tensor([pair])).logits[0, -1, yes].item() for pair in PAIRS]
    assert np.std(logits) > 0.1  # else two could change places unseen
    return logits


def vectors(model, rows, pooling):
    """Vectors of all rows computed as one batch, in the order of the rows."""
    with torch.no_grad():
        return answer_together(model, rows, lambda batch: embed(model, batch, pooling), share=pooling == "last")


@MODELS
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
def test_neither_padding_nor_a_shared_beginning_changes_a_vector(name, pooling, dtype, tolerance, request):
    model, rows = load_backbone(request.getfixturevalue(name), dtype, CPU), [*ROWS, *LIKE]
    alone = torch.cat([vectors(model, [row], pooling) for row in rows])
    torch.testing.assert_close(vectors(model, rows, pooling), alone, atol=tolerance, rtol=0)


@HEADS
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
def test_neither_padding_nor_the_other_candidates_change_the_full_models_logit_of_yes(name, dtype, tolerance, request):
    folder = request.getfixturevalue(name)
    model, yes = load_causal(folder, dtype, CPU), yes_token(load_tokenizer(folder))
    for share in (True, False):
        with torch.no_grad():
            logits = answer_together(model, PAIRS, lambda batch: yes_logits(model, batch, yes), share=share)
        np.testing.assert_allclose(logits, full_logits(folder), atol=tolerance)


@HEADS
@pytest.mark.parametrize("batch_tokens", [1, 30, 1000])
def test_scores_come_back_in_the_order_of_the_pairs(name, batch_tokens, request):
    folder = request.getfixturevalue(name)
    scorer = HFScorer(load_causal(folder, "float32", CPU), yes_token(load_tokenizer(folder)), batch_tokens)
    np.testing.assert_allclose(scorer.score(PAIRS), full_logits(folder), atol=1e-5)


@MODELS
def test_a_vector_is_the_last_hidden_state_or_the_mean_of_all_with_length_one(name, pooling, request):
    folder = request.getfixturevalue(name)
    model, raw = load_backbone(folder, "float64", CPU), AutoModel.from_pretrained(folder, dtype=torch.float64).eval()
    for vector, ids in zip(vectors(model, ROWS, pooling), ROWS, strict=True):
        with torch.no_grad():
            hidden = raw(torch.tensor([ids])).last_hidden_state[0]
        last, mean = normalize(hidden[-1], dim=0), normalize(hidden.mean(0), dim=0)
        torch.testing.assert_close(vector, last if pooling == "last" else mean, atol=1e-10, rtol=0)
        assert len(ids) == 1 or (last - mean).abs().max() > 0.01  # else the two poolings could be swapped


def test_an_encoder_is_not_read_at_its_last_token(tiny_bert):
    with pytest.raises(ValueError, match='is an encoder.*set pooling = "mean"'):
        HFEncoder(load_backbone(tiny_bert, "float32", CPU), "last", 100)


@pytest.mark.parametrize("batch_tokens", [1, 10, 1000])
def test_vectors_come_back_in_the_order_of_the_prompts(tiny_causal, batch_tokens):
    encoder = HFEncoder(load_backbone(tiny_causal, "float32", CPU), "last", batch_tokens)
    with torch.no_grad():
        expected = torch.cat([vectors(encoder.model, [row], "last") for row in ROWS])
    np.testing.assert_allclose(encoder.encode(ROWS), expected, atol=1e-5)


def test_nothing_asked_is_nothing_answered(tiny_causal):
    with open_encoder(tiny_causal, "last", PROFILE) as encoder:
        assert encoder.encode([]).shape == (0, 32)
    assert HFScorer(load_causal(tiny_causal, "float32", CPU), 101, 24).score([]).shape == (0,)


def test_the_memory_is_given_back_when_the_engine_is_left(tiny_causal):
    with open_encoder(tiny_causal, "last", PROFILE) as encoder:
        assert encoder.model.device.type == "cpu"
    assert encoder.model.device.type == "meta"


# seed: `except RuntimeError: batch_size * 3 // 4` took every error for a lack of memory
@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), torch.OutOfMemoryError("no memory left")])
def test_an_error_of_the_model_comes_out_unchanged_and_is_not_tried_again(tiny_causal, error):
    model, calls = load_backbone(tiny_causal, "float32", CPU), []

    def fail(*_):
        calls.append(1)
        raise error

    model.layers[1].register_forward_pre_hook(fail)
    with pytest.raises(type(error)) as caught:
        HFEncoder(model, "last", 1000).encode(ROWS)
    assert caught.value is error
    assert len(calls) == 1


@pytest.mark.parametrize("implementation", ["sdpa", PACKED])
def test_an_infinite_answer_costs_its_prompt_and_none_that_lies_beside_it(tiny_causal, implementation):
    model = load_backbone(tiny_causal, "float32", CPU)
    model.set_attn_implementation(implementation)
    rows = [*ROWS, [*ROWS[2][:-1], 62]]
    sound = HFEncoder(model, "last", 1000).encode(rows)
    with torch.no_grad():
        model.embed_tokens.weight[61] = float("inf")  # stands in ROWS[2] only
    bad = [row for row, prompt in enumerate(rows) if 61 in prompt]
    assert 2 in bad and len(bad) < len(rows)
    vectors = HFEncoder(model, "last", 1000).encode(rows)
    assert np.flatnonzero(~np.isfinite(vectors).all(1)).tolist() == bad
    others = np.setdiff1d(np.arange(len(rows)), bad)
    np.testing.assert_allclose(vectors[others], sound[others], atol=1e-5)


@HEADS
def test_a_packed_model_gives_the_full_models_logit_of_yes(name, request):
    folder = request.getfixturevalue(name)
    model, yes = load_causal(folder, "float32", CPU), yes_token(load_tokenizer(folder))
    model.set_attn_implementation(PACKED)  # as on a GPU, but not compiled
    for batch_tokens in (8, 4096):
        scores = HFScorer(model, yes, batch_tokens).score(PAIRS)
        np.testing.assert_allclose(scores, full_logits(folder), atol=1e-5)


def test_the_last_batches_of_a_packed_queue_are_small(tiny_causal):
    model = load_causal(tiny_causal, "float32", CPU)
    model.set_attn_implementation(PACKED)
    last = LAST_FOREST_TOKENS
    rows = [[place] * (last // 4) for place in range(32)]  # 8 x last tokens in all: a quarter is 2 x last
    tokens = [sum(map(len, batch)) / last for batch in plan_batches(model, rows, 6 * last, queue=True)]
    assert tokens == [2, 1.5, 1, 1, 1, 1.5]  # 8, 6, 4.5, 3.5, 2.5 are left, then 1.5, which is not torn apart
    assert [sum(map(len, batch)) / last for batch in plan_batches(model, rows, 6 * last)] == [6, 2]
