"""Small real things that the tests share: three random models with tokenizers, and the tables of a made-up quiz."""

from pathlib import Path

import polars as pl
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, processors
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from shared.task.tables import MISCONCEPTIONS, QUERIES

VOCABULARY = 200  # ids; the tokenizers use about the first hundred
CHARACTERS = [chr(code) for code in range(32, 127)] + ["\n"]
SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "initializer_range": 0.2}  # wide enough for answers that differ visibly

torch.set_num_threads(1)  # a second thread costs more than it brings to models this small


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory) -> Path:
    """A Llama with a TIED head: its checkpoint holds no lm_head."""
    config = LlamaConfig(
        **SHAPE, **HEADS, num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=True
    )
    return _save(LlamaForCausalLM, config, _tokenizer("<s>", "</s>"), tmp_path_factory.mktemp("tiny_causal"))


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory) -> Path:
    """A Qwen2 with an UNTIED head and no beginning-of-sequence token."""
    config = Qwen2Config(
        **SHAPE, **HEADS, num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=False
    )
    return _save(Qwen2ForCausalLM, config, _tokenizer(None, "<|im_end|>"), tmp_path_factory.mktemp("tiny_qwen"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """A BERT without its head; it has no dropout of its own, so what is random in training is LoRA's alone."""
    config = BertConfig(
        **SHAPE, **HEADS, max_position_embeddings=512, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    return _save(BertModel, config, _tokenizer("[CLS]", "[SEP]", bert=True), tmp_path_factory.mktemp("tiny_bert"))


@pytest.fixture(scope="session")
def queries() -> pl.DataFrame:
    """Fourteen wrong options of seven questions: eight labelled for training, four for validation, two by nobody."""
    rows = [
        # id, question, subject, text, correct, wrong, misconception, fold
        ("1_A", 1, "Fractions", "1/2 + 1/3 = ?", "5/6", "2/5", 10, "train"),
        ("1_B", 1, "Fractions", "1/2 + 1/3 = ?", "5/6", "1/6", 12, "train"),
        ("2_A", 2, "Fractions", "Half of 3/4?", "3/8", "6/4", 11, "train"),
        ("2_C", 2, "Fractions", "Half of 3/4?", "3/8", "3/2", 10, "train"),
        ("3_A", 3, "Order of operations", "2 + 3 x 4 = ?", "14", "20", 20, "train"),
        ("3_D", 3, "Order of operations", "2 + 3 x 4 = ?", "14", "24", None, "train"),
        ("4_B", 4, "Negative numbers", "-3 - 4 = ?", "-7", "1", 30, "train"),
        ("4_C", 4, "Negative numbers", "-3 - 4 = ?", "-7", "7", 31, "train"),
        ("5_A", 5, "Order of operations", "8 - 2 x 3 = ?", "2", "18", 20, "train"),
        ("6_A", 6, "Negative numbers", "5 - 8 = ?", "-3", "3", 30, "valid"),
        ("6_B", 6, "Negative numbers", "5 - 8 = ?", "-3", "13", 40, "valid"),
        ("7_A", 7, "Decimals", "0.3 x 0.2 = ?", "0.06", "0.6", 41, "valid"),
        ("7_C", 7, "Decimals", "0.3 x 0.2 = ?", "0.06", "0.5", 42, "valid"),
        ("7_D", 7, "Decimals", "0.3 x 0.2 = ?", "0.06", "6", None, "valid"),
    ]
    records = [(id_, number, f"Work with {subject.lower()}", subject, *rest) for id_, number, subject, *rest in rows]
    return pl.DataFrame(records, schema=QUERIES.schema, orient="row")


@pytest.fixture(scope="session")
def misconceptions() -> pl.DataFrame:
    """Twelve misconceptions; 12 and 42 have the same words."""
    texts = {
        10: "Adds numerators and denominators",
        11: "Multiplies when asked for a half",
        12: "Multiplies instead of adding",
        20: "Works from left to right",
        21: "Adds before it multiplies",
        30: "Ignores the minus sign",
        31: "Thinks two minuses always make a plus",
        32: "Counts zero twice",
        40: "Adds when it should subtract",
        41: "Misplaces the point of a product",
        42: "Multiplies instead of adding",
        50: "Reads a table by its columns",
    }
    return pl.DataFrame(list(texts.items()), schema=MISCONCEPTIONS.schema, orient="row")


def _save(kind: type, config, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    torch.manual_seed(1)
    kind(config).to(torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(begin: str | None, end: str, *, bert: bool = False) -> PreTrainedTokenizerFast:
    """One token for a character, and one for "Yes"; it puts `begin` (and a BERT's `end`) around a text by itself."""
    special = ["<pad>", "<unk>", begin or "<unused>", end]
    vocabulary = {token: place for place, token in enumerate([*special, *CHARACTERS, "Ye", "Yes"])}
    words = Tokenizer(models.BPE(vocab=vocabulary, merges=[("Y", "e"), ("Ye", "s")], unk_token="<unk>"))
    words.decoder = decoders.Fuse()
    if begin:
        frame = f"{begin} $A {end}" if bert else f"{begin} $A"
        words.post_processor = processors.TemplateProcessing(
            single=frame, special_tokens=[(token, vocabulary[token]) for token in (begin, end)]
        )
    names = (
        {"cls_token": begin, "sep_token": end} if bert else {"eos_token": end} | ({"bos_token": begin} if begin else {})
    )
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", **names)
