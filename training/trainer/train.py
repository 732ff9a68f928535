"""The stages that train a model: an embedder or a reranker."""

from pathlib import Path

import polars as pl
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from inference.engines.distributed import rank, world
from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.engines.transformers.attention import is_packed
from inference.engines.transformers.engine import device_of, load_backbone
from inference.engines.transformers.fp8 import use_fp8
from inference.machine.profiles import load_profile
from shared.artifacts.card import EmbedderCard, write_card
from shared.settings.sections import Train
from shared.task.folds import sibling_answers
from training.run_folder.base_models import local_folder
from training.run_folder.cards import new_reranker_card
from training.run_folder.stage_context import StageContext
from training.trainer.bases.load import load_base_of_reranker
from training.trainer.batches import Group, draw_epoch, keep_together, read_groups
from training.trainer.embedder import EmbedderObjective
from training.trainer.loop import train
from training.trainer.lora import add_lora
from training.trainer.memory.fsdp import shard_base
from training.trainer.memory.recompute import fit_memory
from training.trainer.pointwise_reranker import RerankerObjective
from training.trainer.update import Objective
from training.trainer.writing.rationale_loss import with_targets

OBJECTIVES = {  # of each kind of reranker, see inference/reranking/kinds.py
    "pointwise": RerankerObjective,
    "listed": RerankerObjective,
    "cumulative": RerankerObjective,
}


def train_embedder(context: StageContext, groups: pl.DataFrame, card: EmbedderCard) -> None:
    """Fill context.out with epoch_N/ and metrics.json."""
    settings, section = context.settings.train_embedder, context.settings.embedder
    base = local_folder(section.base)
    profile = load_profile(context.settings.machine.profile)
    packed = profile.packed and card.pooling == "last"
    how = {"packed": packed, "weights": section.weights}
    model = load_backbone(base, section.dtype, _loading_device(context), **how)
    words = embedder_words(load_tokenizer(base))
    adapted = _adapt(context, model, settings)
    objective = EmbedderObjective(model, words, card, context.texts(), settings, profile.batch_tokens)
    _train(context, adapted, objective, groups, settings)
    if rank() == 0:
        write_card(card, context.out)  # with every example that training could show: the audit reads it


def train_reranker(
    context: StageContext, groups: pl.DataFrame, candidates: pl.DataFrame, *, measure: bool = True
) -> None:
    """Fill context.out with epoch_N/ and metrics.json, which has figures of the validation fold where it `measure`s."""
    settings, section = context.settings.train_reranker, context.settings.reranker
    base = local_folder(section.base)
    profile, tokenizer = load_profile(context.settings.machine.profile), load_tokenizer(base)
    how = {"packed": profile.packed, "weights": section.weights}
    model = load_base_of_reranker(base, section.dtype, _loading_device(context), **how)
    adapted = _adapt(context, model, settings)
    queries, misconceptions = context.texts()
    queries = with_targets(queries, settings, Path(context.settings.prepare.competition))
    tables = (queries if measure else queries.filter(pl.col("fold") == "train"), misconceptions, candidates)
    card = new_reranker_card(section)
    objective = OBJECTIVES[card.kind](model, tokenizer, card.prompt, tables, settings, profile.batch_tokens)
    _train(context, adapted, objective, groups, settings)


def _loading_device(context: StageContext) -> torch.device:
    return (
        torch.device("cpu")
        if context.settings.machine.shard
        else device_of(load_profile(context.settings.machine.profile))
    )


def _adapt(context: StageContext, model: PreTrainedModel, settings: Train) -> PeftModel:
    """The model with its adapters, laid out as the settings say, and with as many layers recomputing as it takes."""
    adapted = add_lora(model, settings.lora, seed=settings.seed)
    if settings.fp8:
        use_fp8(model)
    if context.settings.machine.shard:
        shard_base(model, device_of(load_profile(context.settings.machine.profile)))
    fit_memory(model, settings)
    return adapted


def _train(
    context: StageContext, adapted: PeftModel, objective: Objective, groups: pl.DataFrame, settings: Train
) -> None:
    mined = _read_groups(context, groups, settings)
    last = len(mined) % settings.batch or settings.batch
    if context.settings.machine.shard and (settings.batch % world() or last % world()):
        raise ValueError(
            f"updates have {settings.batch} groups, the last one {last}, and the {world()} processes of a spread model "
            "have to compute as many each: change batch"
        )
    if context.settings.machine.shard and adapted.device.type == "cuda" and not is_packed(adapted.get_base_model()):
        raise ValueError(
            f"machine.profile {context.settings.machine.profile} pads rows, so that processes would run unequal "
            "numbers of passes over a spread model: take one with packed = true, such as h200"
        )

    def epochs(number: int):
        how = {"group": settings.group, "batch": settings.batch, "seed": settings.seed, "siblings": settings.siblings}
        updates = draw_epoch(mined, epoch=number, **how)
        return keep_together(updates, settings.batch) if settings.together else updates

    train(adapted, objective, epochs, settings, context.out, context.fingerprint)


def _read_groups(context: StageContext, groups: pl.DataFrame, settings: Train) -> list[Group]:
    """The groups with what the settings ask of them."""
    if not (settings.siblings or settings.together):
        return read_groups(groups)
    queries, misconceptions = context.texts()
    questions = dict(queries.select("query_id", "question_id").iter_rows())
    return read_groups(groups, questions, sibling_answers(queries, misconceptions))
