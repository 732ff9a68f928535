"""Refuses lengths that a model has no positions for, and a tokenizer with more ids than the model has embeddings."""

from dataclasses import replace
from pathlib import Path

from transformers import PretrainedConfig, PreTrainedTokenizerBase

from inference.engines.checks.files import AGAIN
from shared.prompts.embedder import EmbedderPrompt, Example, embedder_passage, embedder_query
from shared.prompts.kinds import reading_of
from shared.prompts.pointwise import RerankerPrompt
from shared.prompts.query import Written
from shared.prompts.reading import prompts_in_order
from shared.prompts.words import Words

ENDLESS = range(10**9)  # the ids of a text that is longer than any model has room for
TEXT = Written("text", "notes")
SHIFTED = ("roberta", "camembert", "mpnet", "longformer", "data2vec-text")  # positions begin behind the padding's id


def check_vocabulary(folder: Path, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ValueError for ids beyond the model's embeddings: the tokenizer is another model's."""
    last, rows = max(tokenizer.get_vocab().values(), default=0), config.get_text_config().vocab_size
    if last >= rows:
        raise ValueError(f"{folder}: its tokenizer has ids up to {last}, and its model {rows} embeddings; {AGAIN}")


def positions_of(config: PretrainedConfig) -> int | None:
    """How many tokens a text may have; None where the model sets no limit."""
    text = config.get_text_config()
    most = getattr(text, "max_position_embeddings", None)
    if most and any(kind in text.model_type for kind in SHIFTED):
        return most - (text.pad_token_id or 0) - 1
    return most


def longest_embedder_prompt(words: Words, prompt: EmbedderPrompt, examples: int) -> int:
    """Tokens of the longest prompt that can be made."""
    endless = replace(words, encode=lambda text: ENDLESS)
    query = embedder_query(endless, prompt, [Example("query", "response")] * examples, TEXT)
    return max(len(query), len(embedder_passage(endless, prompt, TEXT)))


def longest_reranker_prompt(words: Words, prompt: RerankerPrompt) -> int:
    """Tokens of the longest prompt that can be made, of a full list where candidates are read in lists."""
    endless, reading = replace(words, encode=lambda text: ENDLESS), reading_of(prompt)
    passages = [TEXT] * (reading.at_once(prompt) or 1)
    return max(map(len, prompts_in_order(reading, endless, prompt, TEXT, passages)))


def check_length(folder: Path, config: PretrainedConfig, longest: int, advice: str) -> None:
    """Raise ValueError where the longest prompt does not fit; `advice` names what decides its length."""
    most = positions_of(config)
    if most is not None and longest > most:
        raise ValueError(
            f"{folder} has room for {most} tokens, and a prompt may have {longest}: take {longest - most} off {advice}"
        )
