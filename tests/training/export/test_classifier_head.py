"""Guards classifier_head.py: a merged reranker is a classifier whose one score is the whole model's logit of "Yes"."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from inference.engines.open import open_scorer
from inference.engines.tokenizer import load_tokenizer, yes_token
from inference.engines.transformers.engine import HFScorer, load_causal, load_reranker
from inference.machine.profiles import Profile
from shared.settings.sections import Lora
from tests.training.tiny import randomise
from training.export.classifier_head import keep_yes_alone
from training.export.merge import merge
from training.trainer.bases.load import load_base_of_reranker
from training.trainer.lora import add_lora, save_adapter

PROMPTS = [[2, 30, 31], [2, 30, 31, 50, 51], [2, 40]]
PROFILE = Profile(device="cpu", dtype="float32", batch_tokens=64, max_tokens=64)
HEADS = pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen"])  # tied, untied


def cut(folder, place):
    shutil.copytree(folder, place)
    keep_yes_alone(place, yes_token(load_tokenizer(folder)))
    return place


# seed: merging lost lm_head with only a warning (MAP 0.549 -> 0.149)
@HEADS
def test_the_score_is_the_logit_of_yes_of_the_whole_model(name, request, tmp_path):
    whole = request.getfixturevalue(name)
    folder = cut(whole, tmp_path / "cut")
    raw, yes = load_causal(whole, "float32", torch.device("cpu")), yes_token(load_tokenizer(whole))
    with torch.no_grad():
        expected = [raw(torch.tensor([prompt])).logits[0, -1, yes].item() for prompt in PROMPTS]
        model, said = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
        anybody = [model.float()(torch.tensor([prompt])).logits.item() for prompt in PROMPTS]
    assert not any(said.values())  # nothing is missing, so nothing was made up
    with open_scorer("hf", folder, PROFILE) as scorer:
        np.testing.assert_allclose(scorer.score(PROMPTS), expected, atol=1e-5)
    np.testing.assert_allclose(anybody, expected, atol=1e-5)  # what any reader of classifiers makes of the folder


@HEADS
def test_of_the_head_one_row_is_left_to_the_bit_and_all_else_stays(name, request, tmp_path):
    whole = request.getfixturevalue(name)
    before = load_file(whole / "model.safetensors")
    after = load_file(cut(whole, tmp_path / "cut") / "model.safetensors")
    head = before.get("lm_head.weight", before["model.embed_tokens.weight"])
    yes = yes_token(load_tokenizer(whole))
    assert torch.equal(after.pop("score.weight"), head[yes : yes + 1])
    before.pop("lm_head.weight", None)
    assert after.keys() == before.keys() and all(torch.equal(after[key], before[key]) for key in after)


def test_the_list_of_a_sharded_models_tensors_follows(tiny_qwen, tmp_path):
    sharded = tmp_path / "sharded"
    AutoModelForCausalLM.from_pretrained(tiny_qwen).save_pretrained(sharded, max_shard_size="20KB")
    load_tokenizer(tiny_qwen).save_pretrained(sharded)
    index = cut(sharded, tmp_path / "cut") / "model.safetensors.index.json"
    assert "lm_head" not in index.read_text(encoding="utf-8")
    _, said = AutoModelForSequenceClassification.from_pretrained(tmp_path / "cut", output_loading_info=True)
    assert not any(said.values())


def test_a_whole_head_is_refused_where_a_reranker_serves(tiny_qwen):
    with (
        pytest.raises(ValueError, match='holds a Qwen2ForCausalLM, not a reranker with the row of "Yes"'),
        open_scorer("hf", tiny_qwen, PROFILE),
    ):
        pass


def test_a_model_without_a_causal_head_is_refused(tiny_bert, tmp_path):
    shutil.copytree(tiny_bert, tmp_path / "bert")
    with pytest.raises(ValueError, match="is a bert, which puts classifier.weight between its layers and its answer"):
        keep_yes_alone(tmp_path / "bert", 5)


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen"])
def test_of_a_pair_of_words_the_row_is_the_difference(name, request, tmp_path):
    whole = request.getfixturevalue(name)
    model, rows = load_causal(whole, "float32", torch.device("cpu")), [[2, 30, 31, 50], [2, 40, 53]]
    wanted = HFScorer(model, 101, 100).score(rows) - HFScorer(model, 30, 100).score(rows)
    shutil.copytree(whole, tmp_path / "cut")
    keep_yes_alone(tmp_path / "cut", (101, 30))
    served = HFScorer(load_reranker(tmp_path / "cut", "float32", torch.device("cpu")), 0, 100).score(rows)
    np.testing.assert_allclose(served, wanted, atol=1e-5)
    np.testing.assert_allclose(HFScorer(model, (101, 30), 100).score(rows), wanted, atol=1e-5)


def test_a_reranker_that_was_merged_is_trained_on_and_its_row_stays(tiny_qwen, tmp_path):
    base = shutil.copytree(tiny_qwen, tmp_path / "base")
    keep_yes_alone(base, 101)
    model = load_base_of_reranker(base, "float32", torch.device("cpu"))
    adapted = randomise(add_lora(model, Lora(rank=2, alpha=4, targets=("all-linear",)), seed="x"))
    save_adapter(adapted, tmp_path / "adapter")
    wanted = HFScorer(adapted.eval().get_base_model(), 0, 100).score([[2, 30, 31, 50]])
    assert merge(base, tmp_path / "adapter", tmp_path / "out") == 14
    served = HFScorer(load_reranker(tmp_path / "out", "float32", torch.device("cpu")), 0, 100).score([[2, 30, 31, 50]])
    np.testing.assert_allclose(served, wanted, atol=1e-5)
