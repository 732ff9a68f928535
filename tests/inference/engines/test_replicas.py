"""Guards replicas.py: what several processes say is what one says, also when one of them dies."""

import os
import shutil
import signal
import struct
import threading
from multiprocessing import Pipe

import numpy as np
import pytest
from transformers import LlamaConfig

from inference.engines.open import open_encoder, open_scorer
from inference.engines.tokenizer import load_tokenizer, yes_token
from inference.machine.profiles import Profile
from tests.inference.engines.test_vllm import make_model
from training.export.classifier_head import keep_yes_alone

ALONE = Profile(device="cpu", dtype="float32", batch_tokens=24, max_tokens=64)
TWO = ALONE.model_copy(update={"replicas": 2})
QUERIES = [[2, *range(10 + place, 20 + place)] for place in range(12)]
PROMPTS = [[*query, 60 + passage] for passage in range(5) for query in QUERIES]


@pytest.fixture(scope="module")
def reranker(tiny_causal, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas") / "reranker"
    shutil.copytree(tiny_causal, folder)
    keep_yes_alone(folder, yes_token(load_tokenizer(tiny_causal)))
    return folder


@pytest.fixture(scope="module")
def expected(reranker):
    with open_scorer("hf", reranker, ALONE) as scorer:
        return scorer.score(PROMPTS)


def test_two_processes_say_what_one_says_in_order_and_end_when_they_are_left(reranker, expected):
    with open_scorer("hf", reranker, TWO) as scorer:
        processes = [replica.process for replica in scorer.engine.replicas]
        np.testing.assert_allclose(scorer.score(PROMPTS), expected, atol=1e-5)
        np.testing.assert_allclose(scorer.score(PROMPTS[:1]), expected[:1], atol=1e-5)
        assert scorer.score([]).shape == (0,)
    assert [process.returncode for process in processes] == [0, 0]


def test_the_work_of_a_process_that_dies_is_done_by_the_other_and_that_is_said_loudly(reranker, expected, capsys):
    with open_scorer("hf", reranker, TWO) as scorer:
        first = scorer.engine.replicas[0].process
        first.send_signal(signal.SIGSTOP)  # it takes a piece and does not come back with it
        death = threading.Timer(1.0, first.kill)
        death.start()
        np.testing.assert_allclose(scorer.score(PROMPTS), expected, atol=1e-5)
        assert "!!! replica 0 of 2 died (exit code -9" in capsys.readouterr().err
        np.testing.assert_allclose(scorer.score(PROMPTS), expected, atol=1e-5)  # and the next work too
        scorer.engine.replicas[0].process.kill()
        with pytest.raises(RuntimeError, match="replica 1 of 2 died .*, and it was the last one"):
            scorer.score(PROMPTS)
        with pytest.raises(RuntimeError, match="every replica has died"):
            scorer.score(PROMPTS)


def test_a_process_that_hangs_is_killed_when_patience_is_over(reranker):
    with open_scorer("hf", reranker, TWO) as scorer:
        process = scorer.engine.replicas[0].process
        process.send_signal(signal.SIGSTOP)
        scorer.engine.patience = 1.0
        with pytest.raises(TimeoutError, match="no replica answered within 1 s"):
            scorer.score(PROMPTS)
    assert process.returncode == -signal.SIGKILL


def test_a_refused_prompt_is_refused_in_one_sentence_and_the_next_work_is_done(tmp_path):
    folder = make_model(LlamaConfig, tmp_path, tie_word_embeddings=True)
    profile = Profile(device="cpu", dtype="float32", batch_tokens=256, max_tokens=300, cache_gib=0.1, replicas=2)
    with open_encoder("hf", folder, "last", ALONE) as encoder:
        expected = encoder.encode(PROMPTS)
    with open_encoder("vllm", folder, "last", profile) as encoder:
        with pytest.raises(ValueError, match="prompt 60 of 61 has 257 tokens, 256 fit"):
            encoder.encode([*PROMPTS, [11] * 257])
        np.testing.assert_allclose(encoder.encode(PROMPTS), expected, atol=1e-4)


def test_a_folder_that_no_process_can_open_is_an_error_of_the_folder(tiny_bert):
    with (
        pytest.raises(ValueError, match='is an encoder.*set pooling = "mean"'),
        open_encoder("hf", tiny_bert, "last", TWO),
    ):
        pass


def test_a_profile_for_more_gpus_than_there_are_is_refused(tiny_causal, monkeypatch):
    monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", "3")
    profile = TWO.model_copy(update={"device": "cuda"})
    with (
        pytest.raises(ValueError, match="asks for 2 GPUs and 1 are there"),
        open_encoder("vllm", tiny_causal, "last", profile),
    ):
        pass


def test_a_process_that_dies_while_it_answers_leaves_its_work_to_the_other(reranker, expected, capsys):
    with open_scorer("hf", reranker, TWO) as scorer:
        here, there = Pipe()
        os.write(there.fileno(), struct.pack("!i", 1000) + b"a part")  # of a message of 1,000 bytes
        there.close()
        scorer.engine.replicas[0].pipe.close()
        scorer.engine.replicas[0].pipe = here
        np.testing.assert_allclose(scorer.score(PROMPTS), expected, atol=1e-5)
        assert "!!! replica 0 of 2 died" in capsys.readouterr().err
