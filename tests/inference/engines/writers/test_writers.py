"""Guards the writers: both engines write what a plain loop writes, in order, and say how a text ended."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from inference.engines.protocols import Generated
from inference.engines.tokenizer import load_tokenizer
from inference.engines.writers.check import adapter_rank
from inference.engines.writers.open import WriterOpening, open_writer
from inference.machine.profiles import Profile
from shared.prompts.writer import Sampling
from tests.tiny_models import make_wide_qwen

PROFILE = Profile(device="cpu", dtype="float32", batch_tokens=512, max_tokens=300, cache_gib=0.1, threads=1)
PREFIX = [(7 * place) % 60 + 10 for place in range(40)]
PROMPTS = [[*PREFIX, 80], [33], [*PREFIX, 81, 82], [34, 35, 36], [*PREFIX, 80, 83]]
GREEDY = Sampling(12)
DRAWN = Sampling(12, temperature=1.5, top_p=0.9)
SEEDS = [5, 6, 7, 8, 9]


@pytest.fixture(scope="module")
def folder(tiny_qwen, tmp_path_factory):
    return make_wide_qwen(tiny_qwen, tmp_path_factory.mktemp("writer"))


@pytest.fixture(scope="module")
def expected(folder):
    """Token by token, without a cache, padding or company."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer, written = load_tokenizer(folder), []
    for prompt in PROMPTS:
        ids, end = list(prompt), False
        while len(ids) < len(prompt) + GREEDY.max_tokens and not end:
            with torch.no_grad():
                ids.append(model(torch.tensor([ids])).logits[0, -1].argmax().item())
            end = ids[-1] == tokenizer.eos_token_id
        made = ids[len(prompt) :]
        text = tokenizer.decode(made[:-1] if end else made, skip_special_tokens=True)
        written.append(Generated(text, len(made), "stop" if end else "length"))
    return written


@pytest.fixture(scope="module", params=["hf", "vllm"])
def writer(request, folder):
    with open_writer(WriterOpening(request.param, folder, PROFILE, 64)) as writer:
        yield writer


def test_a_greedy_writer_writes_what_a_plain_loop_writes_in_order(writer, expected):
    assert writer.generate(PROMPTS, GREEDY) == expected
    assert writer.generate([], GREEDY) == []
    assert len({text.text for text in expected}) == len(PROMPTS)  # else their order says nothing


def test_many_prompts_are_written_about_in_order(writer, expected):
    many = writer.generate(PROMPTS * 20, GREEDY)
    assert many == expected * 20


def test_a_temperature_under_a_hundredth_is_greedy(writer, expected):
    assert writer.generate(PROMPTS, Sampling(12, temperature=0.009, top_p=0.5), SEEDS) == expected


def test_a_text_ends_in_front_of_a_stop_string_and_says_so(writer, expected):
    row = max(range(len(PROMPTS)), key=lambda row: len(expected[row].text))
    stop = expected[row].text[4:6]
    (written,) = writer.generate(PROMPTS[row : row + 1], Sampling(12, stop=(stop,)))
    assert written.text == expected[row].text[: expected[row].text.index(stop)]
    assert written.finish_reason == "stop" and written.tokens < 12


def test_a_drawn_text_depends_on_its_seed_and_not_on_its_company(writer):
    together = writer.generate(PROMPTS, DRAWN, SEEDS)
    turned = writer.generate(PROMPTS[::-1], DRAWN, SEEDS[::-1])[::-1]
    alone = [writer.generate([prompt], DRAWN, [seed])[0] for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]
    assert together == turned == alone
    assert writer.generate(PROMPTS, DRAWN, [seed + 1 for seed in SEEDS]) != together


def test_two_processes_write_what_one_writes(folder, expected):
    profile = PROFILE.model_copy(update={"replicas": 2})
    with open_writer(WriterOpening("hf", folder, profile, 64)) as writer:
        assert writer.generate(PROMPTS, GREEDY) == expected
        assert writer.generate([], GREEDY) == []
        together = writer.generate(PROMPTS, DRAWN, SEEDS)
        assert together == writer.generate(PROMPTS[::-1], DRAWN, SEEDS[::-1])[::-1]


def test_a_prompt_without_room_for_its_text_is_refused_in_a_sentence(folder):
    with open_writer(WriterOpening("vllm", folder, PROFILE, 50)) as writer:
        with pytest.raises(ValueError, match=r"prompt 1 of 2 has 39 tokens and may get 12 more, 50 fit \(the model's"):
            writer.generate([[33], [33] * 39], GREEDY)
        assert len(writer.generate([[33] * 38], GREEDY)) == 1


def test_a_model_without_a_head_is_refused_before_it_is_loaded(tiny_bert, tmp_path):
    for folder, said in ((tiny_bert, "holds a BertModel, which has no head"), (tmp_path, "config.json does not exist")):
        with pytest.raises(ValueError, match=said), open_writer(WriterOpening("vllm", folder, PROFILE, 50)):
            pass


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"modules_to_save": ["lm_head"]}, "whole modules along \\(lm_head in modules_to_save\\)"), ({"r": 1024}, "512")],
)
def test_an_adapter_that_vllm_would_not_load_is_refused_in_a_sentence(tmp_path, changes, said):
    config = {"r": 8, "modules_to_save": None} | changes
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        adapter_rank(tmp_path)
