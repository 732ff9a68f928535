"""Guards answers.py: a prompt without an answer costs itself alone, or is an error that says what can be done."""

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoModel

from inference.engines.answers import Lenient, Reach, Strict, reach_of
from inference.engines.open import open_encoder, open_scorer
from inference.engines.tokenizer import load_tokenizer, yes_token
from inference.machine.profiles import load_profile
from training.export.classifier_head import keep_yes_alone

CPU = load_profile("cpu")
BROKEN = 61  # a token whose vector is infinite
QUERY = [2, *range(10, 40)]
PROMPTS = [[*QUERY, 50], [*QUERY, BROKEN], [*QUERY, 52, 53], [3, 4], [*QUERY, BROKEN, 54], [5] * 70]
TOO_LONG = 5  # with a limit of 64 tokens


@pytest.fixture(scope="module")
def broken(tiny_causal, tmp_path_factory):
    folder = shutil.copytree(tiny_causal, tmp_path_factory.mktemp("broken") / "model")
    model = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        model.embed_tokens.weight[BROKEN] = torch.inf
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reranker(tiny_causal, broken, tmp_path_factory):
    folder = shutil.copytree(tiny_causal, tmp_path_factory.mktemp("broken") / "reranker")
    keep_yes_alone(folder, yes_token(load_tokenizer(tiny_causal)))
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"][BROKEN] = torch.inf
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_prompt_without_an_answer_is_a_row_of_nan_and_its_neighbours_have_theirs(broken, replicas):
    profile = CPU.model_copy(update={"max_tokens": 64, "replicas": replicas})
    with open_encoder("hf", broken, "last", profile, strict=False) as encoder:
        vectors = encoder.encode(PROMPTS)
        alone = np.concatenate([encoder.encode([PROMPTS[row]]) for row in (0, 2, 3)])
        assert encoder.encode([PROMPTS[TOO_LONG]]).shape == (1, 32)
    assert np.isnan(vectors[[1, 4, TOO_LONG]]).all()
    np.testing.assert_allclose(vectors[[0, 2, 3]], alone, atol=1e-5)


def test_a_pair_without_a_score_is_nan_and_its_neighbours_have_theirs(reranker):
    with open_scorer("hf", reranker, CPU.model_copy(update={"max_tokens": 64}), strict=False) as scorer:
        scores = scorer.score(PROMPTS)
        alone = [scorer.score([PROMPTS[row]])[0] for row in (0, 2, 3)]
    assert np.isnan(scores[[1, 4, TOO_LONG]]).all()
    np.testing.assert_allclose(scores[[0, 2, 3]], alone, atol=1e-5)


def test_where_everybody_else_asks_it_is_an_error_that_names_model_and_prompt(broken, reranker):
    with open_encoder("hf", broken, "last", CPU) as encoder:
        with pytest.raises(ValueError, match=f"{broken}: prompt 1 of 6 gave NaN or infinity, 2 of them did: float32 "):
            encoder.encode(PROMPTS)
        assert np.isfinite(encoder.encode(PROMPTS[2:4])).all()
    with open_scorer("hf", reranker, CPU.model_copy(update={"max_tokens": 64})) as scorer:
        said = "prompt 5 of 6 has 70 tokens, 64 fit .the model's limit is 1024, max_tokens of the profile 64.: cut its"
        with pytest.raises(ValueError, match=f"{reranker}: {said}"):
            scorer.score(PROMPTS)


def test_what_is_infinite_in_one_coordinate_says_nothing_in_the_others():
    class Given:
        def encode(self, prompts):
            return np.array([[1, 2], [np.inf, 1], [np.nan, 3]], np.float32)

    given = Given()
    np.testing.assert_array_equal(Lenient(given, Reach()).encode([[1]] * 3), [[1, 2], [np.nan] * 2, [np.nan] * 2])
    assert np.isposinf(given.encode([])[1, 0])  # what the engine holds is not written to
    with pytest.raises(ValueError, match="m: prompt 1 of 3 gave NaN or infinity, 2 of them did"):
        Strict(given, "m").encode([[1]] * 3)


@pytest.mark.parametrize(
    ("profile", "config", "advice"),
    [
        ("t4x2", {}, "set dtype to float32 in the profile if twice the memory is there"),
        ("t4x2", {"quantization_config": {}}, "take a profile with bfloat16 for this model, or the model that was not"),
        ("l4x4", {"quantization_config": {}}, "bfloat16 reaches to 3e38, so that the weights themselves hold NaN"),
        ("cpu", {}, "float32 reaches to 3e38, so that the weights themselves hold NaN"),
    ],
)
def test_the_advice_is_what_the_profile_can_do(profile, config, advice, tmp_path):
    long = {"model_type": "llama", "max_position_embeddings": 10**6}
    (tmp_path / "config.json").write_text(json.dumps(long | config), encoding="utf-8")
    reach = reach_of(tmp_path, load_profile(profile))
    assert reach.advice.find(advice) >= 0 and reach.most == load_profile(profile).max_tokens
    assert ("set dtype to bfloat16" in reach.advice) is False  # which a T4 does not have


def test_the_reach_of_a_model_whose_positions_begin_behind_the_padding_is_shorter(tmp_path):
    said = {"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}
    (tmp_path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    assert reach_of(tmp_path, load_profile("cpu")).most == 512
