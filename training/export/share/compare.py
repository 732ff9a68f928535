"""Opens an exported folder with sentence-transformers, and compares its answers with those of the merged model here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from inference.engines.open import open_encoder, open_scorer
from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.machine.profiles import Profile
from inference.reranking.kinds import prompts_of
from inference.retrieval.retrieve import query_prompts
from shared.artifacts.card import read_embedder_card, read_reranker_card
from shared.prompts.embedder import embedder_passage
from shared.prompts.query import Written, misconception_of, query_of
from shared.prompts.words import MEANING, THINKING, Words
from training.export.share.folders import behind_query

TOLERANCE = 1e-3  # of a coordinate or a logit, in float32; tiny models differ by less than 1e-5
PASSAGES = 3  # of each query, for the reranker


@dataclass(frozen=True)
class Comparison:
    """How far both sides differ: over so many texts or pairs, of which so many are not compared, being cut here."""

    compared: int
    cut: int
    largest: float  # the largest difference of a coordinate or a logit
    other_ids: int  # texts or pairs that are other token ids there

    def __str__(self) -> str:
        cut = f", {self.cut} too long to be compared" if self.cut else ""
        ids = f", {self.other_ids} of them as other token ids" if self.other_ids else ""
        return f"{self.compared} compared{cut}{ids}, the largest difference is {self.largest:.1e}"


def compare_embedder(
    model: Path, out: Path, queries: pl.DataFrame, misconceptions: pl.DataFrame, profile: Profile
) -> Comparison:
    """Of the vectors of `queries` and `misconceptions`. Raises ValueError where they differ by more than TOLERANCE."""
    from sentence_transformers import SentenceTransformer

    card, words = read_embedder_card(model), embedder_words(load_tokenizer(model))
    new = queries.with_columns(question_id=pl.lit(-1, pl.Int64), fold=pl.lit("test"))  # every example is shown to it
    written = [query_of(row, card.prompt.rationale) for row in queries.iter_rows(named=True)]
    known = [misconception_of(row) for row in misconceptions.iter_rows(named=True)]
    rows = [*query_prompts(new, words, card), *(embedder_passage(words, card.prompt, text) for text in known)]
    fits = [_fits(words, text, card.prompt.query_tokens, card.prompt.rationale_tokens) for text in written]
    fits += [_fits(words, text, card.prompt.passage_tokens, card.prompt.description_tokens) for text in known]
    with open_encoder("hf", model, card.pooling, in_32_bits(profile)) as encoder:
        ours = encoder.encode([row for row, fit in zip(rows, fits, strict=True) if fit])
    asked = [_text(text, THINKING, card.prompt.rationale_tokens) + behind_query(card.prompt) for text in written]
    passages = [_text(text, MEANING, card.prompt.description_tokens) for text in known]
    there = SentenceTransformer(str(out), device=profile.device, local_files_only=True, model_kwargs=_in_32_bits())
    prompt = there.prompts["query"]
    ids = there.tokenizer([*(prompt + text for text in asked), *passages])["input_ids"]
    vectors = np.vstack([there.encode_query(asked), there.encode_document(passages)])
    return _compare(out, ours, vectors[fits], [(a, b) for a, b, fit in zip(rows, ids, fits, strict=True) if fit], fits)


def compare_reranker(
    model: Path, out: Path, queries: pl.DataFrame, misconceptions: pl.DataFrame, profile: Profile
) -> Comparison:
    """Of the logits of every query with some misconceptions. Raises ValueError as compare_embedder does."""
    from sentence_transformers import CrossEncoder

    prompt, make, words = read_reranker_card(model).prompt, prompts_of(model), embedder_words(load_tokenizer(model))
    known = [misconception_of(row) for row in misconceptions.iter_rows(named=True)]
    rows, pairs, fits = [], [], []
    for place, row in enumerate(queries.iter_rows(named=True)):
        written = query_of(row, prompt.rationale)
        near = [known[(place * PASSAGES + step) % len(known)] for step in range(min(PASSAGES, len(known)))]
        rows += make(written, near)
        asked = _text(written, THINKING, prompt.rationale_tokens)
        pairs += [(asked, _text(text, MEANING, prompt.description_tokens)) for text in near]
        whole = _fits(words, written, prompt.query_tokens, prompt.rationale_tokens)
        fits += [whole and _fits(words, text, prompt.passage_tokens, prompt.description_tokens) for text in near]
    with open_scorer("hf", model, in_32_bits(profile)) as scorer:
        ours = scorer.score([row for row, fit in zip(rows, fits, strict=True) if fit])
    there = CrossEncoder(str(out), device=profile.device, local_files_only=True, model_kwargs=_in_32_bits())
    ids = there.tokenizer([one for one, _ in pairs], [other for _, other in pairs])["input_ids"]
    logits = there.predict([pair for pair, fit in zip(pairs, fits, strict=True) if fit])
    return _compare(out, ours, logits, [(a, b) for a, b, fit in zip(rows, ids, fits, strict=True) if fit], fits)


def in_32_bits(profile: Profile) -> Profile:
    """`profile` in float32, in one process, with nothing packed."""
    return profile.model_copy(update={"dtype": "float32", "packed": False, "fp8": False, "replicas": 1})


def _in_32_bits() -> dict:
    import torch

    return {"dtype": torch.float32, "attn_implementation": "sdpa", "use_safetensors": True}


def _fits(words: Words, written: Written, tokens: int, note_tokens: int) -> bool:
    notes = bool(note_tokens) and len(words.encode(written.notes)) > note_tokens
    return len(words.encode(written.text)) <= tokens and not notes


def _text(written: Written, label: str, note_tokens: int) -> str:
    return f"{written.text}{label}{written.notes}" if written.notes and note_tokens else written.text


def _compare(
    out: Path, ours: np.ndarray, theirs: np.ndarray, ids: Sequence[tuple[list[int], list[int]]], fits: Sequence[bool]
) -> Comparison:
    if not len(ours):
        raise ValueError(f"{out} cannot be compared: every text is longer than what the model reads of it")
    largest = float(np.abs(ours.astype(np.float64) - theirs).max())
    other = sum(list(one) != list(two) for one, two in ids)
    found = Comparison(len(ours), len(fits) - len(ours), largest, other)
    if not largest <= TOLERANCE:
        raise ValueError(f"{out} does not answer as the merged model does: {found}, and {TOLERANCE:g} is allowed")
    return found
