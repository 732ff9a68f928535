"""Refuses a merged model that would not answer as it was made: before anything is computed, in one sentence."""

from pathlib import Path

from transformers import AutoModel, AutoModelForSequenceClassification

from inference.engines.checks.lengths import (
    check_length,
    check_vocabulary,
    longest_embedder_prompt,
    longest_reranker_prompt,
)
from inference.engines.checks.model import check_model, load_config
from inference.engines.tokenizer import embedder_words, load_tokenizer, reranker_words
from shared.artifacts.card import read_embedder_card, read_reranker_card


def check_embedder(folder: Path) -> None:
    """Raise ValueError unless the embedder in `folder` is whole, and takes the prompts of its card."""
    card, tokenizer = read_embedder_card(folder), load_tokenizer(folder)
    check_model(folder, AutoModel)
    config = load_config(folder)
    check_vocabulary(folder, config, tokenizer)
    longest = longest_embedder_prompt(embedder_words(tokenizer), card.prompt, card.shown)
    check_length(folder, config, longest, f"the lengths in {folder}/card.json, or train with shorter ones")


def check_reranker(folder: Path) -> None:
    """Raise ValueError unless the reranker in `folder` is whole, and takes the prompts of its card."""
    card, tokenizer = read_reranker_card(folder), load_tokenizer(folder)
    check_model(folder, AutoModelForSequenceClassification)
    config = load_config(folder)
    check_vocabulary(folder, config, tokenizer)
    longest = longest_reranker_prompt(reranker_words(tokenizer), card.prompt)
    check_length(folder, config, longest, f"the lengths in {folder}/card.json, or train with shorter ones")
