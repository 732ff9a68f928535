"""An embedder trained by us, and one by sentence-transformers, on the same groups; each searches the catalogue."""

import time

import numpy as np
import polars as pl
from peft import PeftModel

from benchmarks.peers.trainers import read_updates, train_sentence_transformers_embedder
from inference.engines.answers import Strict
from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.engines.transformers.engine import HFEncoder, device_of, load_backbone
from inference.machine.profiles import load_profile
from inference.retrieval.exact_search import search
from inference.retrieval.retrieve import candidate_table, query_prompts
from shared.artifacts.card import EmbedderCard
from shared.prompts.embedder import embedder_passage
from shared.prompts.query import Written, row_text
from shared.settings.sections import TrainEmbedder
from shared.task.current import TASK
from shared.task.folds import labelled_queries
from shared.task.tables import GROUPS
from training.run_folder.base_models import local_folder
from training.run_folder.cards import new_embedder_card
from training.run_folder.stage_context import StageContext
from training.trainer.train import train_embedder

FRAME_TOKENS = 2  # An encoder puts as many around a text.


def ours(context: StageContext, blind: StageContext, seed: int) -> tuple[pl.DataFrame, float]:
    """Candidates of the validation fold, and the seconds of training; `blind` sees the training fold alone."""
    settings, card = _seeded(context, seed), _card(context)
    groups = context.read(GROUPS, "mine_for_embedder")
    seeded = context.settings.model_copy(update={"train_embedder": settings})
    blind.out.mkdir(parents=True)
    start = time.perf_counter()
    train_embedder(StageContext(seeded, blind.run, blind.out, ""), groups, card)
    seconds = time.perf_counter() - start
    section, profile = context.settings.embedder, load_profile(context.settings.machine.profile)
    model = load_backbone(local_folder(section.base), section.dtype, device_of(profile))
    adapter = str(blind.out / f"epoch_{settings.epochs}")
    model = PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False).eval().get_base_model()
    encoder = Strict(HFEncoder(model, card.pooling, profile.batch_tokens), section.base)
    words = embedder_words(load_tokenizer(section.base))
    valid, misconceptions = _texts(context)
    asked = encoder.encode(query_prompts(valid, words, card))
    known = encoder.encode([embedder_passage(words, card.prompt, Written(text)) for text in misconceptions["text"]])
    return _find(valid, misconceptions, asked, known), seconds


def sentence_transformers(context: StageContext, blind: StageContext, seed: int) -> tuple[pl.DataFrame, float]:
    """The same by its trainer."""
    base, tokens = local_folder(context.settings.embedder.base), context.settings.embedder.query_tokens + FRAME_TOKENS
    settings = _seeded(context, seed)
    updates = read_updates(context, "mine_for_embedder", settings)
    start = time.perf_counter()
    model = train_sentence_transformers_embedder(base, updates, settings, seed, blind.out, tokens)
    seconds = time.perf_counter() - start
    valid, misconceptions = _texts(context)
    queries = [row_text(row) for row in valid.iter_rows(named=True)]
    asked, known = (
        model.encode(texts, normalize_embeddings=True, convert_to_numpy=True)
        for texts in (queries, misconceptions["text"].to_list())
    )
    return _find(valid, misconceptions, asked, known), seconds


def _seeded(context: StageContext, seed: int) -> TrainEmbedder:
    if context.settings.embedder.pooling != "mean" or context.settings.embedder.task:
        raise ValueError(
            f"{context.run} trains an embedder with a prompt; compared is an encoder's training: take small0"
        )
    return context.settings.train_embedder.model_copy(update={"seed": f"quality {seed}"})


def _card(context: StageContext) -> EmbedderCard:
    section = context.settings.embedder
    return new_embedder_card(section, local_folder(section.base))


def _texts(context: StageContext) -> tuple[pl.DataFrame, pl.DataFrame]:
    queries, misconceptions = context.texts()
    return labelled_queries(queries, "valid"), misconceptions


def _find(valid: pl.DataFrame, misconceptions: pl.DataFrame, asked: np.ndarray, known: np.ndarray) -> pl.DataFrame:
    found = search(asked, known, misconceptions["misconception_id"].to_numpy(), TASK.metric.depth)
    return candidate_table(valid["query_id"], *found)
