"""Builds models of real shapes with random weights on the device: speed does not depend on what the weights say."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

PAD, EOS, UNKNOWN, NEWLINE, YES, INSTRUCT, QUERY, RESPONSE, A, B, COLON = range(11)
MARKS = ("<pad>", "</s>", "<unk>", "\n", "Yes", "<instruct>", "<query>", "<response>", "A", "B", ":")
FIRST_WORD = 16  # Ids from here on are the words w16, w17, ...: a text of n words is n tokens.


@dataclass(frozen=True)
class Shape:
    """Numbers of a Qwen2.5 model."""

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool

    @property
    def body(self) -> int:
        """Weights that every token is multiplied with: the linear layers, without embeddings and head."""
        keys = self.width * self.kv_heads // self.heads
        return self.layers * (2 * self.width**2 + 2 * self.width * keys + 3 * self.width * self.inner)

    @property
    def head(self) -> int:
        """Weights that a token is multiplied with where a further one is written behind it."""
        return self.vocabulary * self.width

    @property
    def cached(self) -> int:
        """Numbers that attention keeps of a token."""
        return 2 * self.layers * self.width * self.kv_heads // self.heads


SHAPES = {
    "32b": Shape(64, 5120, 27648, 40, 8, 152064, tied=False),
    "14b": Shape(48, 5120, 13824, 40, 8, 152064, tied=False),
    "1.5b": Shape(28, 1536, 8960, 12, 2, 151936, tied=True),
    "tiny": Shape(2, 64, 96, 2, 1, 512, tied=False),
}


def build(shape: Shape, device: torch.device, dtype: torch.dtype) -> Qwen2ForCausalLM:
    """A causal language model with seeded normal weights, made where it is used; activations stay near 1."""
    config = config_of(shape)
    with torch.device("meta"):
        model = Qwen2ForCausalLM(config).to(dtype)
    model = model.to_empty(device=device)
    model.tie_weights()
    model.model.rotary_emb = Qwen2RotaryEmbedding(config).to(device)  # to_empty leaves its frequencies unset
    _fill(model, torch.Generator(device).manual_seed(1))
    return model.eval().requires_grad_(False)


def config_of(shape: Shape) -> Qwen2Config:
    """The configuration of a model of this shape."""
    return Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=32768,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        pad_token_id=PAD,
        eos_token_id=EOS,
        attn_implementation="sdpa",
    )


def write_without_weights(shape: Shape, folder: Path, architecture: str) -> None:
    """A folder for an engine that makes weights up: configuration and tokenizer."""
    config = config_of(shape)
    config.architectures = [architecture]
    if architecture.endswith("ForSequenceClassification"):
        config.id2label, config.label2id = {0: "Yes"}, {"Yes": 0}
    config.dtype = torch.bfloat16
    config.save_pretrained(folder)
    write_tokenizer(shape, folder)


def twin(model: torch.nn.Module) -> torch.nn.Module:
    """A second tree of modules over the very same weights: what one side adds or compiles the other never sees."""
    return copy.deepcopy(model, memo={id(weight): weight for weight in model.parameters()})


def write_tokenizer(shape: Shape, folder: Path) -> PreTrainedTokenizerFast:
    """A tokenizer for which a word is a token; an end token follows a single text, none follows a pair of texts."""
    names = [*MARKS, *(f"<unused{id_}>" for id_ in range(len(MARKS), FIRST_WORD))]
    names += [f"w{id_}" for id_ in range(FIRST_WORD, shape.vocabulary)]
    words = Tokenizer(models.WordLevel({name: id_ for id_, name in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    words.add_tokens([AddedToken(mark, normalized=False) for mark in ("\n", "<instruct>", "<query>", "<response>")])
    words.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A $B", special_tokens=[("</s>", EOS)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        padding_side="left",
        model_max_length=32768,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def text_of(ids: list[int]) -> str:
    """The text that the tokenizer turns into `ids`."""
    return " ".join(MARKS[id_] if id_ < len(MARKS) else f"w{id_}" for id_ in ids)


def _fill(model: Qwen2ForCausalLM, generator: torch.Generator) -> None:
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.fill_(1.0)
            elif name.endswith("bias"):
                weight.zero_()
            else:
                scale = 1.0 if "embed_tokens" in name and not model.config.tie_word_embeddings else None
                weight.normal_(0.0, scale or weight.shape[1] ** -0.5, generator=generator)
