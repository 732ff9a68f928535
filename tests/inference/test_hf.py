"""What the transformers engine computes for a batch is what the raw model says of each row alone."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize
from transformers import AutoModel, AutoModelForCausalLM

from inference.engines.hf import (
    HFEncoder,
    HFScorer,
    embed,
    load_backbone,
    load_causal,
    open_encoder,
    open_scorer,
    yes_logits,
)
from inference.profiles import Profile
from inference.tokens import load_tokenizer, yes_token

CPU = torch.device("cpu")
ROWS = [[2, 40, 41, 42, 43, 44, 45, 3], [2, 50, 3], [2, 60, 61, 62, 63, 3], [70], [2, 80, 81, 3]]  # ragged on purpose
PROFILE = Profile(device="cpu", dtype="float32", batch_tokens=24, max_tokens=64)
MODELS = pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen", "tiny_bert"])
HEADS = pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen"])  # tied, untied


@MODELS
@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
def test_padding_does_not_change_a_vector(name, pooling, dtype, tolerance, request):
    model = load_backbone(request.getfixturevalue(name), dtype, CPU)
    with torch.no_grad():
        together = embed(model, ROWS, pooling)
        alone = torch.cat([embed(model, [row], pooling) for row in ROWS])
    torch.testing.assert_close(together, alone, atol=tolerance, rtol=0)


@HEADS
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
def test_padding_does_not_change_a_score(name, dtype, tolerance, request):
    model = load_causal(request.getfixturevalue(name), dtype, CPU)
    with torch.no_grad():
        together = yes_logits(model, ROWS, 101)
        alone = torch.cat([yes_logits(model, [row], 101) for row in ROWS])
    torch.testing.assert_close(together, alone, atol=tolerance, rtol=0)


@MODELS
def test_a_vector_is_the_last_hidden_state_or_the_mean_of_all_with_length_one(name, request):
    folder = request.getfixturevalue(name)
    model, raw = load_backbone(folder, "float64", CPU), AutoModel.from_pretrained(folder, dtype=torch.float64).eval()
    with torch.no_grad():
        last, mean = embed(model, ROWS, "last"), embed(model, ROWS, "mean")
        for row, ids in enumerate(ROWS):
            hidden = raw(torch.tensor([ids])).last_hidden_state[0]
            torch.testing.assert_close(last[row], normalize(hidden[-1], dim=0), atol=1e-10, rtol=0)
            torch.testing.assert_close(mean[row], normalize(hidden.mean(0), dim=0), atol=1e-10, rtol=0)
    assert (last - mean).abs().max() > 0.01  # else the two poolings could be swapped


@HEADS
def test_the_yes_logit_is_the_full_models_logit_of_yes_at_the_last_token(name, request):
    folder = request.getfixturevalue(name)
    yes = yes_token(load_tokenizer(folder))
    raw = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
    with torch.no_grad():
        scores = yes_logits(load_causal(folder, "float64", CPU), ROWS, yes)
        expected = torch.stack([raw(torch.tensor([ids])).logits[0, -1, yes] for ids in ROWS])
    torch.testing.assert_close(scores, expected, atol=1e-10, rtol=0)
    assert expected.std() > 0.01


@pytest.mark.parametrize("batch_tokens", [1, 10, 1000])
def test_vectors_and_scores_come_back_in_the_order_of_the_prompts(tiny_causal, batch_tokens):
    encoder = HFEncoder(load_backbone(tiny_causal, "float32", CPU), "last", batch_tokens)
    scorer = HFScorer(load_causal(tiny_causal, "float32", CPU), 101, batch_tokens)
    prefixes, suffixes = [[2, 30], [2, 31, 32, 33]], [[[40], [41, 42, 43]], [[44, 45], [46], [47]]]
    pairs = [[2, 30, 40], [2, 30, 41, 42, 43], *([2, 31, 32, 33, *end] for end in ([44, 45], [46], [47]))]
    with torch.no_grad():
        vectors = [embed(encoder.model, [row], "last")[0].numpy() for row in ROWS]
        scores = [yes_logits(scorer.model, [row], 101).item() for row in pairs]
    np.testing.assert_allclose(encoder.encode(ROWS), vectors, atol=1e-5)
    np.testing.assert_allclose(scorer.score(prefixes, suffixes), scores, atol=1e-5)


def test_nothing_asked_is_nothing_answered(tiny_causal):
    with open_encoder(tiny_causal, "last", PROFILE) as encoder, open_scorer(tiny_causal, PROFILE) as scorer:
        assert encoder.encode([]).shape == (0, 32)
        assert scorer.score([], []).shape == (0,)


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


def test_an_infinite_answer_names_the_prompt(tiny_causal):
    model = load_backbone(tiny_causal, "float32", CPU)
    with torch.no_grad():
        model.embed_tokens.weight[61] = float("inf")  # stands in ROWS[2] only
    with pytest.raises(ValueError, match="prompt 2 of 5 gave NaN or infinity"):
        HFEncoder(model, "last", 1000).encode(ROWS)
