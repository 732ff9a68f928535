"""Guards sentence-transformers folders: their pooling, dense layers and prompts are what makes a vector here."""

import json

import numpy as np
import pytest
import torch
import transformers as T
from safetensors.torch import save_file

from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.engines.transformers.engine import HFEncoder, load_backbone
from shared.artifacts.sentence_folder import SentenceFolder, read_sentence_folder
from shared.prompts.embedder import embedder_passage, embedder_query
from shared.prompts.query import Written
from shared.settings.sections import Embedder
from tests.tiny_models import make_bert
from training.run_folder.cards import new_embedder_card

ROWS = [[2, 30, 31, 3], [2, 40, 41, 42, 43, 3]]
PROMPTS = {"prompts": {"query": "query: ", "document": "passage: "}}


def say(folder, mode, dense=False):
    """Write what sentence-transformers writes beside a model."""
    kinds = ["Transformer", "Pooling", *(["Dense"] if dense else []), "Normalize"]
    modules = [
        {"path": "" if kind == "Transformer" else f"{n}_{kind}", "type": f"a.b.{kind}"} for n, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(mode), encoding="utf-8")
    (folder / "config_sentence_transformers.json").write_text(json.dumps(PROMPTS), encoding="utf-8")
    if dense:
        torch.manual_seed(2)
        (folder / "2_Dense").mkdir()
        said = {
            "in_features": 32,
            "out_features": 8,
            "bias": True,
            "activation_function": "torch.nn.modules.activation.Tanh",
        }
        (folder / "2_Dense/config.json").write_text(json.dumps(said), encoding="utf-8")
        weights = {"linear.weight": torch.randn(8, 32), "linear.bias": torch.randn(8)}
        save_file(weights, folder / "2_Dense/model.safetensors")
        return weights
    return None


@pytest.mark.parametrize(
    "mode", [{"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, {"pooling_mode": "cls"}]
)
def test_a_folders_pooling_dense_layer_and_prompts_are_read_and_computed(mode, tmp_path):
    weights = say(make_bert(tmp_path), mode, dense=True)
    assert read_sentence_folder(tmp_path) == SentenceFolder("cls", "query: ", "passage: ", ("2_Dense",))
    card = new_embedder_card(Embedder(base="x"), tmp_path)
    assert (card.pooling, card.prompt.query_prefix) == ("cls", "query: ")
    vectors = HFEncoder(load_backbone(tmp_path, "float32", torch.device("cpu")), card.pooling, 100).encode(ROWS)
    model = T.AutoModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
    with torch.no_grad():
        firsts = torch.stack([model(torch.tensor([row])).last_hidden_state[0, 0] for row in ROWS])
        wanted = torch.tanh(firsts @ weights["linear.weight"].T + weights["linear.bias"])
    wanted = torch.nn.functional.normalize(wanted, dim=-1).numpy()
    assert vectors.shape == (2, 8) and np.abs(vectors - wanted).max() < 1e-5


def test_a_text_is_read_behind_its_prompt_as_one_text_and_the_prompt_is_never_cut(tmp_path):
    say(make_bert(tmp_path), {"pooling_mode": "mean"})
    tokenizer = load_tokenizer(tmp_path)
    words = embedder_words(tokenizer)
    prompt = new_embedder_card(Embedder(base="x", query_tokens=3), tmp_path).prompt
    assert embedder_query(words, prompt, (), Written("Adds 1")) == tokenizer.encode("query: Add")
    assert embedder_passage(words, prompt, Written("Adds 1")) == tokenizer.encode("passage: Adds 1")
    own = new_embedder_card(Embedder(base="x", query_prefix="", passage_prefix="p "), tmp_path).prompt
    assert embedder_query(words, own, (), Written("Adds 1")) == tokenizer.encode("Adds 1")
    assert embedder_passage(words, own, Written("Adds 1")) == tokenizer.encode("p Adds 1")


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"model_type": "qwen2"}, "last"),
        ({"model_type": "qwen2", "is_causal": False}, "mean"),
        ({"model_type": "gemma3_text", "use_bidirectional_attention": True}, "mean"),
        ({"model_type": "mpnet"}, "mean"),
    ],
)
def test_a_folder_that_says_nothing_is_read_as_its_family_is(config, pooling, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert read_sentence_folder(tmp_path) == SentenceFolder(pooling)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ({"pooling_mode_max_tokens": True}, "pools by max_tokens, and there are cls, mean, lasttoken"),
        ({"pooling_mode": "weightedmean"}, "pools by weightedmean"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, "pools by mean, cls"),
        ({"pooling_mode": "mean", "include_prompt": False}, "leaves the prompt out of the pooling"),
    ],
)
def test_a_pooling_that_is_not_computed_here_is_refused(mode, words, tmp_path):
    say(make_bert(tmp_path), mode)
    with pytest.raises(ValueError, match=words):
        read_sentence_folder(tmp_path)


def test_a_dense_layer_with_a_residual_is_refused(tmp_path):
    say(make_bert(tmp_path), {"pooling_mode": "mean"}, dense=True)
    config = tmp_path / "2_Dense/config.json"
    config.write_text(
        json.dumps({**json.loads(config.read_text(encoding="utf-8")), "use_residual": True}), encoding="utf-8"
    )
    with pytest.raises(ValueError, match="has a residual"):
        load_backbone(tmp_path, "float32", torch.device("cpu"))


@pytest.mark.parametrize("place", ["../1_Dense", "/1_Dense", "1_Dense/../../other"])
def test_a_module_outside_the_folder_is_refused(place, tmp_path):
    modules = [{"path": place, "type": "a.b.Dense"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    with pytest.raises(ValueError, match="lies outside"):
        read_sentence_folder(tmp_path)
