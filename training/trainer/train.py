"""The stages that hold a model: train an embedder or a reranker, merge one and prove it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from inference.engines.distributed import rank, world
from inference.engines.tokenizer import embedder_words, load_tokenizer, reranker_words, yes_token
from inference.engines.transformers.attention import is_packed
from inference.engines.transformers.engine import (
    HFEncoder,
    HFScorer,
    device_of,
    load_backbone,
    load_causal,
    load_reranker,
)
from inference.engines.transformers.fp8 import use_fp8
from inference.machine.profiles import Profile, load_profile
from shared.artifacts.card import EmbedderCard, RerankerCard, write_card
from shared.artifacts.lineage import read_lineage
from shared.prompts.embedder import embedder_passage
from shared.prompts.pointwise import RerankerPrompt, reranker_passage, reranker_query
from shared.settings.sections import Merge, Train
from training.export.classifier_head import keep_yes_alone
from training.export.merge import average_adapters, check_merged, merge
from training.run_folder.base_models import local_folder, weights_digest
from training.run_folder.stage_context import StageContext
from training.trainer.batches import draw_epoch, read_mined
from training.trainer.embedder import EmbedderObjective
from training.trainer.fsdp import shard_base
from training.trainer.loop import Objective, train
from training.trainer.lora import add_lora
from training.trainer.pointwise_reranker import RerankerObjective
from training.trainer.recompute import fit_memory

PROBES = ("Adds the numerators and the denominators", "Works from left to right", "Ignores the sign", "7")
TOLERANCE = 1e-3  # of a coordinate or a logit: an adapter that has learnt nothing yet has no effect to compare with


def train_embedder(context: StageContext, groups: pl.DataFrame, card: EmbedderCard) -> None:
    """Fill context.out with epoch_N/ and metrics.json."""
    settings, base = context.settings.train_embedder, local_folder(context.settings.embedder.base)
    profile = load_profile(context.settings.machine.profile)
    packed = profile.packed and context.settings.embedder.pooling == "last"
    model = load_backbone(base, context.settings.embedder.dtype, _loading_device(context), packed=packed)
    words = embedder_words(load_tokenizer(base))
    adapted = _adapt(context, model, settings)
    objective = EmbedderObjective(model, words, card, context.texts(), settings, profile.batch_tokens)
    _train(context, adapted, objective, groups, settings)
    if rank() == 0:
        write_card(card, context.out)  # with every example that training could show: the audit reads it


def train_reranker(context: StageContext, groups: pl.DataFrame, candidates: pl.DataFrame) -> None:
    """Fill context.out with epoch_N/ and metrics.json."""
    settings, base = context.settings.train_reranker, local_folder(context.settings.reranker.base)
    profile, tokenizer = load_profile(context.settings.machine.profile), load_tokenizer(base)
    model = load_causal(base, context.settings.reranker.dtype, _loading_device(context), packed=profile.packed)
    adapted = _adapt(context, model, settings)
    tables = (*context.texts(), candidates)
    objective = RerankerObjective(
        model,
        yes_token(tokenizer),
        reranker_words(tokenizer),
        _reranker_prompt(context),
        tables,
        settings,
        profile.batch_tokens,
    )
    _train(context, adapted, objective, groups, settings)


def merge_embedder(context: StageContext, card: EmbedderCard) -> dict:
    """Fill context.out with the merged embedder and its card; returns its lineage."""
    section, profile = context.settings.embedder, load_profile(context.settings.machine.profile)
    base = local_folder(section.base)
    words = embedder_words(load_tokenizer(base))
    rows = [embedder_passage(words, card.prompt, text) for text in PROBES]

    def answer(folder: Path, adapter: Path | None) -> np.ndarray:
        model = _adapted(load_backbone(folder, _probing(section.dtype, profile), device_of(profile)), adapter)
        return HFEncoder(model, section.pooling, profile.batch_tokens).encode(rows)

    adapters = _adapters(context, "train_embedder", context.settings.merge_embedder)
    _merge(context, base, adapters, answer)
    write_card(card, context.out)
    return _lineage(context, base, adapters)


def merge_reranker(context: StageContext) -> dict:
    """Fill context.out with the merged reranker and its card; returns its lineage."""
    section, profile = context.settings.reranker, load_profile(context.settings.machine.profile)
    base, prompt = local_folder(section.base), _reranker_prompt(context)
    tokenizer = load_tokenizer(base)
    words, yes = reranker_words(tokenizer), yes_token(tokenizer)
    rows = [
        [*reranker_query(words, prompt, query), *reranker_passage(words, prompt, passage)]
        for query in PROBES
        for passage in PROBES
    ]

    def answer(folder: Path, adapter: Path | None) -> np.ndarray:
        load, row = (load_reranker, 0) if folder == context.out else (load_causal, yes)
        model = _adapted(load(folder, _probing(section.dtype, profile), device_of(profile)), adapter)
        return HFScorer(model, row, profile.batch_tokens).score(rows)

    adapters = _adapters(context, "train_reranker", context.settings.merge_reranker)
    _merge(context, base, adapters, answer, lambda: keep_yes_alone(context.out, yes))
    write_card(RerankerCard(prompt), context.out)
    return _lineage(context, base, adapters)


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
    mined = read_mined(groups)
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
        return draw_epoch(mined, group=settings.group, batch=settings.batch, epoch=number, seed=settings.seed)

    train(adapted, objective, epochs, settings, context.out, context.fingerprint)


def _adapters(context: StageContext, trained: str, section: Merge) -> list[Path]:
    """The run's own adapter, then those of the splits that are averaged in."""
    runs = [context.run, *(context.run.parent / split for split in section.average)]
    folders = [run / trained / f"epoch_{section.epoch}" for run in runs]
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} does not exist: that split was trained for fewer epochs")
    return folders


def _merge(
    context: StageContext,
    base: Path,
    adapters: list[Path],
    answer: Callable[[Path, Path | None], np.ndarray],
    finish: Callable[[], None] = lambda: None,
) -> None:
    """Fill context.out, `finish` it, and compare its answers with those of base and adapter."""
    with tempfile.TemporaryDirectory() as place:
        adapter = adapters[0]
        if len(adapters) > 1:
            adapter = Path(place)
            average_adapters(adapters, adapter)
            print(f"mean of {', '.join(map(str, adapters))}")
        count = merge(base, adapter, context.out)
        finish()
        missed = check_merged(answer(base, None), answer(base, adapter), answer(context.out, None), TOLERANCE)
    print(f"{count} weights merged; on probe inputs the merged model misses {missed:.1%} of the adapter's effect")


def _adapted(model, adapter: Path | None):
    return (
        model
        if adapter is None
        else PeftModel.from_pretrained(model, str(adapter), autocast_adapter_dtype=False).eval().get_base_model()
    )


def _probing(dtype: str, profile: Profile) -> str:
    """How a merge is checked. On a CPU in 32 bits: 16 bits round by half of what a short training changes."""
    return "float32" if profile.device == "cpu" else dtype


def _reranker_prompt(context: StageContext) -> RerankerPrompt:
    section = context.settings.reranker
    return RerankerPrompt(section.query_tokens, section.passage_tokens, section.instruction, section.instruction_place)


def _lineage(context: StageContext, base: Path, adapters: list[Path]) -> dict:
    now = weights_digest(base)
    for adapter in adapters:
        then = read_lineage(adapter.parent, "base_sha256").base_sha256
        if now != then:
            raise ValueError(
                f"{base} holds other weights ({now[:12]}) than when {adapter.parent} ran ({then[:12]}): train again"
            )
    own, *others = adapters
    return {
        "base": base.name,
        "base_sha256": now,
        "adapter": f"{own.parent.name}/{own.name}",
        "adapter_sha256": weights_digest(own),
        "averaged": {str(adapter): weights_digest(adapter) for adapter in others},
        "all_settings": context.settings.model_dump(mode="json"),
    }
