"""Guards checks/: a folder whose files are not one whole model is refused in a sentence, before a weight is read."""

import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, LlamaConfig

from inference.engines.checks.files import read_shapes
from inference.engines.checks.lengths import check_length, check_vocabulary, longest_embedder_prompt, positions_of
from inference.engines.checks.model import check_model, load_config
from inference.engines.checks.vllm_families import NOT_OPENED, check_vllm
from inference.engines.tokenizer import embedder_words, load_tokenizer
from shared.prompts.embedder import EmbedderPrompt
from tests.tiny_models import SHAPE

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"


def edit(folder: Path, **values) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | values
    kept = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept), encoding="utf-8")


def rewrite(folder: Path, change) -> None:
    save_file(change(load_file(folder / WHOLE)), folder / WHOLE, metadata={"format": "pt"})


def without(*parts):
    return lambda tensors: {name: value for name, value in tensors.items() if not any(part in name for part in parts)}


def with_layers(count: int):
    return lambda folder: edit(folder, num_hidden_layers=count, layer_types=None)


def to_pickle(folder: Path) -> None:
    torch.save(load_file(folder / WHOLE), folder / "pytorch_model.bin")
    (folder / WHOLE).unlink()


def to_pipe(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)


def cut(folder: Path) -> None:
    content = (folder / WHOLE).read_bytes()
    (folder / WHOLE).write_bytes(content[: len(content) // 2])


def shards(folder: Path) -> list[Path]:
    """Its tensors in two files with an index."""
    tensors = load_file(folder / WHOLE)
    names, places = sorted(tensors), {}
    for number, part in enumerate((names[:5], names[5:]), 1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(part, file)
    (folder / WHOLE).unlink()
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}), encoding="utf-8")
    return sorted(folder.glob("model-*.safetensors"))


def both_layouts(folder: Path) -> None:
    content = (folder / WHOLE).read_bytes()
    shards(folder)
    (folder / WHOLE).write_bytes(content)


BROKEN = {  # name: (what is done to a Qwen2 with a head of its own, words of the refusal)
    "pickles alone": (to_pickle, "holds no .safetensors file, only pytorch_model.bin, which is a pickle"),
    "half a file": (cut, "model.safetensors is cut or damaged"),
    "a pointer": (lambda f: (f / WHOLE).write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "of Git LFS"),
    "an empty file": (lambda f: (f / WHOLE).write_bytes(b""), "model.safetensors is cut or damaged"),
    "a lost shard": (lambda f: shards(f)[1].unlink(), "00002-of-00002.safetensors is missing, and .* lists it"),
    "a lost index": (lambda f: shards(f) and (f / INDEX).unlink(), "00001-of-00002.safetensors is there, and no"),
    "a damaged index": (lambda f: shards(f) and (f / INDEX).write_bytes(b"{"), "index.json is damaged"),
    "an index without tensors": (lambda f: shards(f) and (f / INDEX).write_bytes(b"{}"), "lists no tensors"),
    "both layouts": (both_layouts, "model.safetensors is there, and .* does not list it"),
    "names of torch.compile": (
        lambda f: rewrite(f, lambda tensors: {f"_orig_mod.{name}": value for name, value in tensors.items()}),
        "lacks lm_head.weight and 26 more",
    ),
    "no head": (lambda f: rewrite(f, without("lm_head")), "lacks lm_head.weight, which a qwen2 model with its head"),
    "no embeddings": (lambda f: rewrite(f, without("embed_tokens")), "lacks model.embed_tokens.weight"),
    "no last norm": (lambda f: rewrite(f, without("model.norm")), "lacks model.norm.weight"),
    "a lost layer": (lambda f: rewrite(f, without("layers.1.")), "lacks model.layers.1.* and 11"),
    "a lost bias": (lambda f: rewrite(f, without("layers.0.self_attn.k_proj.bias")), "lacks .*k_proj.bias"),
    "a config of fewer layers": (
        with_layers(1),
        "holds model.layers.1.*, which its",
    ),
    "a config of more layers": (
        with_layers(3),
        "lacks model.layers.2.* and 11",
    ),
    "a config of 100,000 layers": (
        with_layers(100_000),
        "says 100000 layers, and 27 tensors are there",
    ),
    "another vocabulary": (lambda f: edit(f, vocab_size=210), r"is \[200, 32\], and config.json describes \[210, 32\]"),
    "a surplus tensor": (
        lambda f: rewrite(f, lambda tensors: tensors | {"model.layers.0.extra": torch.zeros(3)}),
        "holds model.layers.0.extra, which its config.json does not describe",
    ),
    "a pipe for weights": (lambda f: to_pipe(f, WHOLE), "model.safetensors is no plain file"),
    "a pipe for the tokenizer": (lambda f: to_pipe(f, "tokenizer.json"), "tokenizer.json is no plain file"),
    "no config": (lambda f: (f / "config.json").unlink(), "holds no config.json"),
    "a cut config": (lambda f: (f / "config.json").write_bytes(b"{"), "config.json is damaged"),
    "a config that is a list": (lambda f: (f / "config.json").write_bytes(b"[]"), "holds a list"),
    "code of its own": (
        lambda f: edit(f, model_type="strange", auto_map={"AutoModel": "x.Y"}),
        "needs code of its own, which is never run",
    ),
    "an unknown kind": (lambda f: edit(f, model_type="strange"), "is of an unknown kind"),
    "words for numbers": (lambda f: edit(f, hidden_size="wide"), "describes no model that is known here"),
    "heads that do not fit": (lambda f: edit(f, num_attention_heads=-4), "config.json describes"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_folder_that_is_no_whole_model_is_refused(name, tiny_qwen, tmp_path):
    folder = shutil.copytree(tiny_qwen, tmp_path / "odd")
    spoil, words = BROKEN[name]
    spoil(folder)
    with pytest.raises(ValueError, match=f"(?s)odd.*{words}|{words}"):
        check_model(folder, AutoModelForCausalLM)


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen", "tiny_bert"])
def test_whole_models_are_let_through_in_one_file_or_in_shards(name, request, tmp_path):
    folder = request.getfixturevalue(name)
    kinds = (AutoModel,) if name == "tiny_bert" else (AutoModel, AutoModelForCausalLM)
    split = shutil.copytree(folder, tmp_path / "split")
    shards(split)
    for kind in kinds:
        check_model(folder, kind)
        check_model(split, kind)
    assert read_shapes(folder) == read_shapes(split)


def test_a_head_is_no_surplus_to_an_embedder_and_a_pooler_that_nobody_reads_may_be_missing(tmp_path, tiny_bert):
    config = transformers.BertConfig(**SHAPE, num_attention_heads=4)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path)  # has cls.predictions, and no pooler
    check_model(tmp_path, AutoModel)


def test_a_reranker_without_its_row_of_yes_is_refused(tiny_qwen, tmp_path):
    folder = shutil.copytree(tiny_qwen, tmp_path / "merged")
    edit(folder, architectures=["Qwen2ForSequenceClassification"], id2label={"0": "Yes"}, label2id={"Yes": 0})
    rewrite(folder, without("lm_head"))
    with pytest.raises(ValueError, match="lacks score.weight, which a qwen2 model that scores has"):
        check_model(folder, AutoModelForSequenceClassification)
    rewrite(folder, lambda tensors: tensors | {"score.weight": torch.zeros(1, 32)})
    check_model(folder, AutoModelForSequenceClassification)
    rewrite(folder, lambda tensors: tensors | {"score.weight": torch.zeros(2, 32)})
    with pytest.raises(ValueError, match=r"score.weight is \[2, 32\]"):
        check_model(folder, AutoModelForSequenceClassification)


def test_a_quantised_folder_has_something_for_every_module(tiny_qwen, tmp_path):
    folder = shutil.copytree(tiny_qwen, tmp_path / "small")
    packed = lambda tensors: {  # noqa: E731 (names as llm-compressor writes them)
        name.replace("q_proj.weight", "q_proj.weight_packed"): value for name, value in tensors.items()
    }
    rewrite(folder, packed)
    edit(folder, quantization_config={"quant_method": "compressed-tensors", "config_groups": {}})
    check_model(folder, AutoModelForCausalLM)
    rewrite(folder, without("layers.1.mlp.up_proj"))
    with pytest.raises(ValueError, match=r"lacks model.layers.1.mlp.up_proj of"):
        check_model(folder, AutoModelForCausalLM)


def test_a_tokenizer_with_more_ids_than_embeddings_is_refused(tiny_causal):
    tokenizer = load_tokenizer(tiny_causal)
    check_vocabulary(tiny_causal, LlamaConfig(vocab_size=102), tokenizer)  # 4 special, 96 characters, Ye, Yes
    with pytest.raises(ValueError, match="has ids up to 101, and its model 101 embeddings"):
        check_vocabulary(tiny_causal, LlamaConfig(vocab_size=101), tokenizer)


def test_a_folder_without_a_tokenizer_and_one_with_a_damaged_one_are_named(tiny_causal, tmp_path):
    folder = shutil.copytree(tiny_causal, tmp_path / "odd")
    (folder / "tokenizer.json").write_bytes(b"{")
    with pytest.raises(ValueError, match="odd: its tokenizer is damaged or unknown"):
        load_tokenizer(folder)
    for path in folder.glob("token*"):
        path.unlink()
    with pytest.raises(ValueError, match="odd holds no tokenizer"):
        load_tokenizer(folder)


def test_the_longest_prompt_is_counted_with_its_frame(tiny_bert, tiny_causal):
    plain = EmbedderPrompt("", 510, 40, 1, 1)
    words = embedder_words(load_tokenizer(tiny_bert))
    assert longest_embedder_prompt(words, plain, 0) == 512  # [CLS], 510, [SEP]
    check_length(tiny_bert, load_config(tiny_bert), 512, "query_tokens")
    with pytest.raises(ValueError, match="room for 512 tokens, and a prompt may have 522: take 10 off query_tokens"):
        check_length(tiny_bert, load_config(tiny_bert), 522, "query_tokens")
    assert longest_embedder_prompt(words, EmbedderPrompt("", 10, 40, 1, 1), 0) == 42  # a passage is longer here
    # one token a character: <s>, twice "<instruct>T\n<query>" (19) and "\n<response>" (11), an example of 5 and 6,
    # "\n\n", the query of 20, and </s>
    shown = longest_embedder_prompt(embedder_words(load_tokenizer(tiny_causal)), EmbedderPrompt("T", 20, 9, 5, 6), 1)
    assert shown == 1 + 2 * (19 + 11) + 5 + 6 + 2 + 20 + 1


def test_positions_that_begin_behind_the_padding_are_fewer():
    assert positions_of(transformers.XLMRobertaConfig(max_position_embeddings=514, pad_token_id=1)) == 512
    assert positions_of(transformers.BertConfig(max_position_embeddings=512)) == 512


@pytest.mark.parametrize(
    ("config", "role", "said"),
    [
        ({"model_type": "cohere2"}, "retriever", "computes otherwise .*: use engine hf"),
        (
            {"model_type": "gemma3_text", "use_bidirectional_attention": True},
            "retriever",
            "otherwise .*: use engine hf",
        ),
        ({"model_type": "gemma3_text"}, "retriever", ""),
        ({"model_type": "gemma3_text"}, "reranker", "does not open as a reranker: use engine hf"),
        ({"model_type": "qwen2", "use_bidirectional_attention": True}, "retriever", ""),
        ({"model_type": "qwen2", "is_causal": False}, "reranker", "does not open as a reranker"),
        ({"model_type": "xlm-roberta"}, "retriever", "does not open as a retriever: use engine hf"),
        ({"model_type": "xlm-roberta"}, "reranker", ""),
    ],
)
def test_a_family_that_vllm_refuses_or_computes_otherwise_is_refused_there(tmp_path, config, role, said):
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ValueError, match=said) if said else nullcontext():
        check_vllm(tmp_path, role)


def test_what_vllm_refused_of_the_families_is_what_is_refused_before_anything_is_trained():
    tried = json.loads((Path(__file__).parents[3] / "docs/bases.json").read_text(encoding="utf-8"))
    refused = {
        role: {
            name.partition(",")[0] for name, row in tried.items() if str(row["vllm"].get(role, "")).startswith("no: ")
        }
        for role in NOT_OPENED
    }
    # a tiny model's chunks of 16 are no block of vLLM's; the others are refused by what else their config says
    assert refused["retriever"] - NOT_OPENED["retriever"] == {"llama4_text", "cohere2", "gemma3_text"}
    assert refused["reranker"] - NOT_OPENED["reranker"] == {"qwen2"}
    assert all(NOT_OPENED[role] <= refused[role] for role in NOT_OPENED)
