"""Makes three random models with tokenizers, small enough to train in a second."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, processors
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from inference.engines.tokenizer import load_tokenizer

VOCABULARY = 200  # ids; the tokenizers use about the first hundred
CHARACTERS = [chr(code) for code in range(32, 127)] + ["\n"]
SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "initializer_range": 0.2}  # wide enough for answers that differ visibly


def make_llama(folder: Path) -> Path:
    """A Llama with a TIED head: its checkpoint holds no lm_head."""
    config = LlamaConfig(
        **SHAPE, **HEADS, num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=True
    )
    return _save(LlamaForCausalLM, config, _tokenizer("<s>", "</s>"), folder)


def make_qwen(folder: Path) -> Path:
    """A Qwen2 with an UNTIED head and no beginning-of-sequence token."""
    config = Qwen2Config(
        **SHAPE, **HEADS, num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=False
    )
    return _save(Qwen2ForCausalLM, config, _tokenizer(None, "<|im_end|>"), folder)


def make_wide_qwen(qwen: Path, folder: Path) -> Path:
    """`qwen` with other weights and heads as wide as vLLM's kernels for a CPU want them."""
    torch.manual_seed(2)
    config = AutoConfig.from_pretrained(qwen, hidden_size=64, num_attention_heads=2, num_key_value_heads=1)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    load_tokenizer(qwen).save_pretrained(folder)
    return folder


def make_bert(folder: Path) -> Path:
    """A BERT without its head; it has no dropout of its own, so what is random in training is LoRA's alone."""
    config = BertConfig(
        **SHAPE, **HEADS, max_position_embeddings=512, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    return _save(BertModel, config, _tokenizer("[CLS]", "[SEP]", bert=True), folder)


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
