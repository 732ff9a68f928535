"""Guards exported models: they answer elsewhere as here, say what they cannot express, and reach the hub privately."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import HfApi, constants

from inference.engines.tokenizer import answer_of, load_tokenizer
from inference.machine.profiles import load_profile
from shared.artifacts.card import EmbedderCard, RerankerCard, write_card
from shared.prompts.embedder import EmbedderPrompt, Example
from shared.prompts.pointwise import RerankerPrompt
from tests.inference.engines.transformers.test_sentence_folders import say
from tests.training.export.hub_server import Hub
from training.cli import main
from training.export.classifier_head import keep_yes_alone
from training.export.cross_encoder import write_cross_encoder
from training.export.share import compare
from training.export.share.card import Facts, licence_of, write_model_card
from training.export.share.compare import compare_embedder, compare_reranker
from training.export.share.folders import write_embedder_folder, write_reranker_folder
from training.export.share.hub import push

CLOSE = 1e-5  # in float32
EXAMPLES = tuple((number, 10, Example(f"What is {number} + {number}?", "Adds once more")) for number in (1, 2))
TASK = "Find it."
FACTS = Facts(
    "embedder", "models/minilm", "small0", "cv", "me/quiz-embedder", "apache-2.0", ("A limit.",), "32 compared"
)


def merged_embedder(base, folder, pooling, task, examples=(), **prompt):
    shutil.copytree(base, folder)
    lengths = {"query_tokens": 150, "passage_tokens": 40, "example_query_tokens": 12, "example_passage_tokens": 30}
    write_card(EmbedderCard(pooling, EmbedderPrompt(task, **{**lengths, **prompt}), examples, len(examples)), folder)
    return folder


def merged_reranker(base, folder, **how):
    prompt = RerankerPrompt(150, 40, "Yes or No?", **how)
    if prompt.template == "pair":
        folder.mkdir()
        write_cross_encoder(base, folder)
    else:
        shutil.copytree(base, folder)
        keep_yes_alone(folder, answer_of(load_tokenizer(folder), prompt))
    write_card(RerankerCard(prompt), folder)
    return folder


@pytest.mark.parametrize(
    ("base", "pooling", "task", "examples", "how"),
    [
        ("tiny_bert", "mean", "", (), {}),
        ("tiny_bert", "cls", "", (), {"query_prefix": "query: ", "passage_prefix": "an entry: "}),
        ("tiny_qwen", "last", TASK, (), {"layout": "wrong_first", "passage_prefix": "p "}),
        ("tiny_causal", "last", TASK, EXAMPLES, {}),  # examples of 15 and 14 tokens, which are cut at 12
    ],
)
def test_an_exported_embedder_gives_the_same_vectors_in_sentence_transformers(
    base, pooling, task, examples, how, request, tmp_path, queries, misconceptions
):
    model, out = tmp_path / "m", tmp_path / "o"
    merged_embedder(request.getfixturevalue(base), model, pooling, task, examples, **how)
    out.mkdir()
    write_embedder_folder(model, out)
    found = compare_embedder(model, out, queries, misconceptions, load_profile("cpu"))
    assert (found.compared, found.cut, found.other_ids) == (26, 0, 0) and found.largest < CLOSE


def test_an_exported_embedder_keeps_the_dense_layers_of_its_base(tiny_bert, tmp_path, queries, misconceptions):
    model, out = merged_embedder(tiny_bert, tmp_path / "m", "mean", ""), tmp_path / "o"
    say(model, {"pooling_mode": "mean"}, dense=True)
    out.mkdir()
    write_embedder_folder(model, out)
    found = compare_embedder(model, out, queries, misconceptions, load_profile("cpu"))
    assert (found.compared, found.other_ids) == (26, 0) and found.largest < CLOSE


@pytest.mark.parametrize(
    ("base", "how"),
    [
        ("tiny_qwen", {}),
        ("tiny_causal", {"instruction_place": "first", "layout": "wrong_marked"}),
        ("tiny_qwen", {"template": "qwen3", "yes": "y", "no": "n"}),
        ("tiny_bert", {"template": "pair"}),
    ],
)
def test_an_exported_reranker_gives_the_same_logits_in_sentence_transformers(
    base, how, request, tmp_path, queries, misconceptions
):
    model, out = merged_reranker(request.getfixturevalue(base), tmp_path / "m", **how), tmp_path / "o"
    out.mkdir()
    write_reranker_folder(model, out)
    found = compare_reranker(model, out, queries, misconceptions, load_profile("cpu"))
    assert (found.compared, found.other_ids) == (42, 0) and found.largest < CLOSE


def test_a_special_token_inside_a_text_stays_text_elsewhere(tiny_qwen, tmp_path, queries, misconceptions):
    model, out = merged_reranker(tiny_qwen, tmp_path / "m"), tmp_path / "o"
    out.mkdir()
    write_reranker_folder(model, out)
    odd = queries.with_columns(wrong=queries["wrong"] + "<|im_end|><pad>")
    assert compare_reranker(model, out, odd, misconceptions, load_profile("cpu")).other_ids == 0


def test_what_is_cut_part_by_part_is_said_and_not_compared(tiny_qwen, tmp_path, queries, misconceptions):
    model, out = merged_embedder(tiny_qwen, tmp_path / "m", "last", TASK, query_tokens=100), tmp_path / "o"
    out.mkdir()
    sentences = write_embedder_folder(model, out)
    assert "cut at 100 tokens" in sentences[0] and "cannot be expressed" not in " ".join(sentences)
    found = compare_embedder(model, out, queries, misconceptions, load_profile("cpu"))
    assert found.cut > 0 and found.compared + found.cut == 26 and "too long to be compared" in str(found)


def test_examples_that_a_query_is_itself_among_are_said_to_be_beyond_expression(tiny_qwen, tmp_path):
    out = tmp_path / "o"
    out.mkdir()
    said = write_embedder_folder(merged_embedder(tiny_qwen, tmp_path / "m", "last", TASK, EXAMPLES), out)
    assert "cannot be expressed" in said[1]


def test_an_export_that_answers_otherwise_is_refused(tiny_qwen, tiny_causal, tmp_path, queries, misconceptions):
    model, out = merged_reranker(tiny_qwen, tmp_path / "m"), tmp_path / "o"
    out.mkdir()
    write_reranker_folder(model, out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    del config["sentence_transformers"]  # without it every score goes through a sigmoid
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ValueError, match="does not answer as the merged model does"):
        compare_reranker(model, out, queries, misconceptions, load_profile("cpu"))
    assert compare.TOLERANCE == 1e-3


def test_a_model_card_says_base_licence_prompt_figures_and_how_to_load(tiny_qwen, tmp_path):
    model = merged_embedder(tiny_qwen, tmp_path / "run" / "merge_embedder", "last", TASK)
    (tmp_path / "run" / "evaluate").mkdir()
    part = {"map@25": 0.25, "low": 0.2, "high": 0.3}
    figures = {pool: {"untrained": {"all": part}, "retrieved": {"all": part}} for pool in ("labelled", "catalogue")}
    (tmp_path / "run" / "evaluate" / "metrics.json").write_text(json.dumps(figures), encoding="utf-8")
    write_model_card(FACTS, model, tmp_path)
    said = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert said.startswith("---\nbase_model: sentence-transformers/all-MiniLM-L6-v2\nlicense: apache-2.0\n")
    assert 'SentenceTransformer("me/quiz-embedder")' in said and f"<instruct>{TASK}\n<query>Subject: ..." in said
    assert "| catalogue | retrieved | 0.250 (0.200-0.300) | - | - |" in said and "\n- A limit." in said


@pytest.mark.parametrize(
    ("how", "score", "shown"),
    [
        ({}, 'the logit of "Yes", orders', "A: Subject: ..."),
        (
            {"template": "qwen3", "yes": "y", "no": "n"},
            'the logit of "y", less that of "n", orders',
            "<Query>: Subject",
        ),
        (
            {"template": "pair", "layout": "wrong_first"},
            "the logit of the model's one label",
            "```text\nWrong answer: ...",
        ),
    ],
)
def test_a_model_card_says_what_a_rerankers_score_is_and_how_it_reads_a_pair(how, score, shown, tmp_path):
    model = tmp_path / "run" / "merge_reranker"
    model.mkdir(parents=True)
    write_card(RerankerCard(RerankerPrompt(150, 40, "Yes or No?", **how)), model)
    write_model_card(replace(FACTS, role="reranker"), model, tmp_path)
    said = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert score in said and shown in said


def test_a_base_model_says_its_own_licence(tmp_path):
    (tmp_path / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# A model\n", encoding="utf-8")
    assert [licence_of("some/model", tmp_path), licence_of("some/model", tmp_path / "none")] == ["mit", ""]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its storage protocol is not in hub_server.py
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "README.md").write_text("# A model\n", encoding="utf-8")
    (tmp_path / "folder" / "model.safetensors").write_bytes(np.arange(9).tobytes())
    (tmp_path / "folder" / "manifest.json").write_text("{}", encoding="utf-8")
    return Hub()


def api(hub, token=None):
    return HfApi(endpoint=hub.start(), token=token or hub.token)


def test_a_push_makes_a_private_repository_of_the_folders_files(hub, tmp_path):
    client = api(hub)
    push(tmp_path / "folder", "me/quiz", api=client)
    held = hub.repositories["me/quiz"]
    assert held["private"] is True and sorted(held["files"]) == ["README.md", "model.safetensors"]
    assert held["files"]["model.safetensors"] == np.arange(9).tobytes()
    push(tmp_path / "folder", "me/quiz", api=client)  # again: it is there, and nothing is wrong with that


def test_a_public_repository_is_asked_for_in_so_many_words(hub, tmp_path):
    client = api(hub)
    push(tmp_path / "folder", "me/quiz", public=True, api=client)
    assert hub.repositories["me/quiz"]["private"] is False
    with pytest.raises(ValueError, match="add --public"):
        push(tmp_path / "folder", "me/quiz", api=client)


def test_a_refusal_is_a_sentence_without_the_token(hub, tmp_path):
    with pytest.raises(ValueError, match="sign in with `hf auth login`") as said:
        push(tmp_path / "folder", "me/quiz", api=api(hub, "hf_wrongwrongwrong"))
    assert "hf_wrong" not in str(said.value)
    hub.fault = (400, "You exceed your storage")
    with pytest.raises(ValueError, match=r"the hub refused me/quiz \(400\).*storage"):
        push(tmp_path / "folder", "me/quiz", api=api(hub))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["iter=demo0", "--public"], "say hub=OWNER/NAME too"),
        (["iter=demo0", "hub=no owner"], "hub=no owner-embedder: "),
        (["iter=demo0", "role=judge"], "role=judge: it is embedder or reranker"),
    ],
)
def test_a_wrong_word_is_one_sentence(words, sentence, capsys):
    assert main(["export-model", *words]) == 2
    assert sentence in capsys.readouterr().err
