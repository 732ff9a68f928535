"""Tries a family of models as a base: trains, merges and serves a tiny random one, and compares it with transformers.

Every figure is of both roles: the vectors of a retriever, the scores of a reranker.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
import transformers as T
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

from inference.engines import vllm
from inference.engines.checks.files import read_shapes
from inference.engines.checks.heads import check_yes
from inference.engines.tokenizer import answer_of, embedder_words, load_tokenizer
from inference.engines.transformers.engine import HFEncoder, HFScorer, load_backbone, load_reranker
from inference.machine.profiles import load_profile
from shared.artifacts.sentence_folder import ENCODERS
from shared.prompts.pointwise import RerankerPrompt
from shared.settings.sections import Embedder, Lora, TrainEmbedder, TrainReranker
from tests.inference.engines.transformers.families import ALONE, DECODERS
from tests.inference.engines.transformers.families import ENCODERS as ENCODER_FAMILIES
from tests.tiny_models import _tokenizer
from tests.training.tiny import CPU, RECIPE, all_candidates, randomise, updates_of
from training.export.classifier_head import keep_yes_alone
from training.export.cross_encoder import write_cross_encoder
from training.export.merge import merge
from training.run_folder.bases import form_of
from training.run_folder.cards import new_embedder_card
from training.trainer.bases.load import load_base_of_reranker
from training.trainer.embedder import EmbedderObjective
from training.trainer.lora import Masters, add_lora, save_adapter
from training.trainer.pointwise_reranker import RerankerObjective

FAMILIES = {**DECODERS, **ALONE, **ENCODER_FAMILIES}
PROMPTS = [[*range(4, 44), last, last + 1] for last in (50, 60)] + [[9] * 30]
PAIRS = [[2, *range(4, 44), 3, last, last + 1, 3] for last in (50, 60)] + [[2, 9, 9, 3, 8, 3]]  # as an encoder reads
SETTINGS = {**RECIPE, "distill": 0.0, "group": 3, "lora": Lora(rank=2, alpha=4, targets=("all-linear",))}


@dataclass(frozen=True)
class Tried:
    """How far merged models are from transformers' eager attention; `refusal` says why a role cannot be had."""

    retriever: float | None
    reranker: float | None
    refusal: str = ""


def try_family(config: T.PretrainedConfig, folder: Path, tables: tuple[pl.DataFrame, pl.DataFrame]) -> Tried:
    """Make a random model in `folder`, and take it through both roles."""
    base = _make(config, folder / "base")
    retriever = _try_retriever(base, folder, tables)
    if form_of(base) == "language model":
        try:
            check_yes(base, config, read_shapes(base))
        except ValueError as error:
            return Tried(retriever, None, str(error).partition(" is a ")[2].partition(":")[0])
    return Tried(retriever, _try_reranker(base, folder, tables))


def _make(config: T.PretrainedConfig, folder: Path) -> Path:
    encoder = config.model_type in ENCODERS
    torch.manual_seed(1)
    (AutoModel if encoder else AutoModelForCausalLM).from_config(config).float().save_pretrained(folder)
    begin, end = ("[CLS]", "[SEP]") if encoder else ("<s>", "</s>")
    _tokenizer(begin, end, bert=encoder).save_pretrained(folder)
    return folder


def _try_retriever(base: Path, folder: Path, tables: tuple[pl.DataFrame, pl.DataFrame]) -> float:
    card = new_embedder_card(Embedder(base="x", query_tokens=60, passage_tokens=20), base)
    settings, model = TrainEmbedder(**SETTINGS, max_examples=0), load_backbone(base, "float32", CPU)
    adapted = add_lora(model, settings.lora, seed="x")
    objective = EmbedderObjective(model, embedder_words(load_tokenizer(base)), card, tables, settings, 1000)
    _train(adapted, objective, updates_of(*tables, settings)[0], folder / "retriever")
    merge(base, folder / "retriever", folder / "embedder")
    ours = HFEncoder(load_backbone(folder / "embedder", "float32", CPU), card.pooling, 1000).encode(PROMPTS)
    eager = AutoModel.from_pretrained(folder / "embedder", attn_implementation="eager", dtype=torch.float32).eval()
    rows = [_eager(eager, row).last_hidden_state[0] for row in PROMPTS]
    theirs = torch.stack([row[-1] if card.pooling == "last" else row.mean(0) for row in rows])
    return float(np.abs(ours - torch.nn.functional.normalize(theirs, dim=-1).numpy()).max())


def _try_reranker(base: Path, folder: Path, tables: tuple[pl.DataFrame, pl.DataFrame]) -> float:
    pairs = form_of(base) == "cross-encoder"
    prompt = RerankerPrompt(60, 20, "Yes or No?", template="pair" if pairs else "plain")
    settings, tokenizer, model = (
        TrainReranker(**SETTINGS),
        load_tokenizer(base),
        load_base_of_reranker(base, "float32", CPU),
    )
    adapted = add_lora(model, settings.lora, seed="x")
    objective = RerankerObjective(model, tokenizer, prompt, (*tables, all_candidates(*tables)), settings, 1000)
    _train(adapted, objective, updates_of(*tables, settings)[0], folder / "adapter")
    whole, out = base, folder / "reranker"
    if pairs:
        whole = folder / "whole"
        write_cross_encoder(base, whole)
    merge(whole, folder / "adapter", out)
    if not pairs:
        keep_yes_alone(out, answer_of(tokenizer, prompt))
    rows = PAIRS if pairs else PROMPTS
    ours = HFScorer(load_reranker(out, "float32", CPU), 0, 1000).score(rows)
    kind, loaded = AutoModelForSequenceClassification, {"attn_implementation": "eager", "dtype": torch.float32}
    eager = kind.from_pretrained(out, **loaded).eval()
    two = pairs and getattr(eager.config, "type_vocab_size", 0) > 1
    theirs = [_eager(eager, row, two).logits[0, 0].item() for row in rows]
    return float(np.abs(ours - np.array(theirs)).max() / max(np.abs(theirs).max(), 1))


def _train(adapted, objective, update: list, folder: Path) -> None:
    """One update's gradient has to reach the adapters, which then get values as if they were trained."""
    masters = Masters(adapted)
    loss = objective.accumulate(update, [list(range(len(update)))], masters.collect, "seed")
    assert np.isfinite(loss) and masters.weights.grad.abs().max() > 0
    save_adapter(randomise(adapted), folder)


@torch.no_grad()
def _eager(model: torch.nn.Module, row: list[int], two_texts: bool = False):
    types = {"token_type_ids": torch.tensor([_types(row)])} if two_texts else {}
    ones = torch.ones(1, len(row), dtype=torch.long)
    return model(input_ids=torch.tensor([row]), attention_mask=ones, **types)


def _types(row: list[int]) -> list[int]:
    first = row.index(row[-1]) + 1
    return [0] * first + [1] * (len(row) - first)


def difference_of_vllm(role: str, place: Path) -> float:
    """How far vLLM's answers to the merged folder of a role are from those of the engine hf."""
    profile, folder = load_profile("cpu"), place / {"retriever": "embedder", "reranker": "reranker"}[role]
    pairs = form_of(folder) == "cross-encoder"
    if role == "retriever":
        pooling = new_embedder_card(Embedder(base="x"), folder).pooling
        ours = HFEncoder(load_backbone(folder, "float32", CPU), pooling, 1000).encode(PROMPTS)
        with vllm.open_encoder(folder, pooling, profile) as encoder:
            return float(np.abs(encoder.encode(PROMPTS) - ours).max())
    rows = PAIRS if pairs else PROMPTS
    ours = HFScorer(load_reranker(folder, "float32", CPU), 0, 1000).score(rows)
    with vllm.open_scorer(folder, profile) as scorer:
        return float(np.abs(scorer.score(rows) - ours).max() / max(np.abs(ours).max(), 1))
