"""Merges the adapters that training chose into their bases, proves each merged model and says where it comes from."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel

from inference.engines.answers import Strict
from inference.engines.tokenizer import embedder_words, load_tokenizer, reranker_words, writer_words
from inference.engines.transformers.engine import (
    HFEncoder,
    HFScorer,
    device_of,
    load_backbone,
    load_causal,
    load_reranker,
)
from inference.machine.profiles import Profile, load_profile
from inference.reranking.kinds import KINDS
from shared.artifacts.card import EmbedderCard, RerankerCard, write_card
from shared.artifacts.lineage import read_lineage
from shared.artifacts.manifest import is_whole
from shared.artifacts.verified import check_folder
from shared.prompts.embedder import embedder_passage
from shared.prompts.query import Written
from shared.prompts.reading import prompts_in_order
from shared.settings.sections import Embedder, Lora, Merge, Reranker, Weights, Writer
from shared.task.tables import DESCRIPTIONS
from training.export.adapter import check_trained
from training.export.classifier_head import keep_yes_alone
from training.export.combine import combine_adapters
from training.export.cross_encoder import write_cross_encoder
from training.export.dequantise import in_16_bits
from training.export.merge import check_merged, merge, moved_share
from training.run_folder.base_models import local_folder, weights_digest
from training.run_folder.bases import form_of
from training.run_folder.cards import new_reranker_card
from training.run_folder.stage_context import StageContext
from training.run_folder.students import WHOLE, adapter_of

PROBES = ("Adds the numerators and the denominators", "Works from left to right", "Ignores the sign", "7")
BASE = "base"  # where a base of 4 bits lies as one of 16 while the stage runs
TOLERANCE = 1e-3  # of a coordinate or a logit: an adapter that has learnt nothing yet has no effect to compare with


def merge_embedder(context: StageContext, card: EmbedderCard) -> dict:
    """Fill context.out with the merged embedder and its card; returns its lineage."""
    section, profile = context.settings.embedder, load_profile(context.settings.machine.profile)
    base = local_folder(section.base)
    words = embedder_words(load_tokenizer(base))
    rows = [embedder_passage(words, card.prompt, Written(text)) for text in PROBES]

    def answer(folder: Path, adapter: Path | None, weights: Weights = "full") -> np.ndarray:
        model = _adapted(load_backbone(folder, *_probing(section, profile), weights=weights), adapter)
        return Strict(HFEncoder(model, card.pooling, profile.batch_tokens), _named(folder, adapter)).encode(rows)

    merging = context.settings.merge_embedder
    adapters = _adapters(context, "train_embedder", merging)
    with _one_adapter(adapters, merging) as adapter, in_16_bits(base, context.out / BASE) as whole:
        _merge(context, whole, adapter, answer, weights=section.weights)
    write_card(card, context.out)
    _ship_descriptions(context, card.prompt.description_tokens)
    return _lineage(context, base, adapters)


def merge_reranker(context: StageContext) -> dict:
    """Fill context.out with the merged reranker and its card; returns its lineage."""
    merging = context.settings.merge_reranker
    adapters = _adapters(context, "train_reranker", merging)
    card = new_reranker_card(context.settings.reranker)
    if merging.orders > 1:  # which only lists have
        card = replace(card, prompt=replace(card.prompt, orders=merging.orders))
    with _one_adapter(adapters, merging) as adapter:
        _write_reranker(context, adapter, card)
    return _lineage(context, local_folder(context.settings.reranker.base), adapters)


def merge_teacher(context: StageContext, adapter: Path) -> None:
    """Fill context.out with a reranker of `train_teachers`, proven as any; context has the settings of its training.

    Raises ValueError where the adapter, or its base, is another than when it was trained.
    """
    check_folder(adapter.parents[1])
    check_trained(adapter, context.settings.train_reranker.lora)
    _lineage(context, local_folder(context.settings.reranker.base), [adapter])
    _write_reranker(context, adapter, new_reranker_card(context.settings.reranker))


def _write_reranker(context: StageContext, adapter: Path, card: RerankerCard) -> None:
    """Fill context.out with the base of [reranker] and this adapter as one model, and its card."""
    section, profile = context.settings.reranker, load_profile(context.settings.machine.profile)
    base = local_folder(section.base)
    kind, tokenizer, form = KINDS[card.kind], load_tokenizer(base), form_of(base)
    token = kind.token(tokenizer, card.prompt) if form == "language model" else 0
    probes, words = [Written(text) for text in PROBES], reranker_words(tokenizer)
    rows = [row for query in probes for row in prompts_in_order(kind.reading, words, card.prompt, query, probes)]

    def answer(folder: Path, adapter: Path | None, weights: Weights = "full") -> np.ndarray:
        load, row = (load_causal, token) if form == "language model" and folder != context.out else (load_reranker, 0)
        model = _adapted(load(folder, *_probing(section, profile), weights=weights), adapter)
        return Strict(HFScorer(model, row, profile.batch_tokens), _named(folder, adapter)).score(rows)

    def finish() -> None:
        if form == "language model":
            keep_yes_alone(context.out, token)

    with tempfile.TemporaryDirectory() as place, in_16_bits(base, context.out / BASE) as whole:
        if form == "cross-encoder":
            whole = Path(place)
            write_cross_encoder(base, whole)
        _merge(context, whole, adapter, answer, finish, weights=section.weights)
    write_card(card, context.out)
    _ship_descriptions(context, card.prompt.description_tokens)


def merge_writer(context: StageContext) -> dict:
    """Fill context.out with the merged writer, which learnt from all training rows; returns its lineage."""
    section, profile = context.settings.writer, load_profile(context.settings.machine.profile)
    base = local_folder(section.base)
    words = writer_words(load_tokenizer(base))
    rows = [[*words.head, *words.encode(text), *words.tail] for text in PROBES]

    def answer(folder: Path, adapter: Path | None) -> np.ndarray:
        model = _adapted(load_causal(folder, *_probing(section, profile)), adapter)
        return Strict(HFScorer(model, rows[0][-1], profile.batch_tokens), _named(folder, adapter)).score(rows)

    adapter = adapter_of(context.run / "train_writer", WHOLE, context.settings.train_writer)
    check_folder(adapter.parents[1])
    check_trained(adapter, context.settings.train_writer.lora)
    _merge(context, base, adapter, answer)
    return _lineage(context, base, [adapter])


def _adapters(context: StageContext, trained: str, section: Merge) -> list[Path]:
    """The run's own adapter, then those of the epochs and of the splits that are averaged in."""
    own = [context.run / trained / f"epoch_{epoch}" for epoch in (section.epoch, *section.epochs)]
    others = [context.run.parent / split / trained / f"epoch_{section.epoch}" for split in section.average]
    folders = own + others
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} does not exist: it was trained for fewer epochs")
        check_folder(folder.parent)
        _check_adapter(folder)
    return folders


def _check_adapter(folder: Path) -> None:
    """Raise ValueError for an adapter that its training, whose settings the lineage keeps, does not make."""
    said = (read_lineage(folder.parent).settings or {}).get(folder.parent.name) or {}
    check_trained(folder, Lora.model_validate_json(json.dumps(said["lora"])) if "lora" in said else None)


@contextmanager
def _one_adapter(adapters: list[Path], section: Merge) -> Iterator[Path]:
    """The adapter that is merged: the only one as it is, or what `section` makes of all of them."""
    if len(adapters) == 1 and section.share == 1:
        yield adapters[0]
        return
    with tempfile.TemporaryDirectory() as place:
        combine_adapters(adapters, Path(place), section.method, section.share)
        print(f"{section.share:g} of the {section.method} of {', '.join(map(str, adapters))}")
        yield Path(place)


def _merge(
    context: StageContext,
    base: Path,
    adapter: Path,
    answer: Callable[..., np.ndarray],
    finish: Callable[[], None] = lambda: None,
    weights: Weights = "full",
) -> None:
    """Fill context.out, `finish` it, and compare its answers with those of base and adapter.

    An adapter that was trained on a base rounded to 4 bits is merged into the 16 bits: what that changes is said.
    """
    count = merge(base, adapter, context.out)
    finish()
    plain, adapted, merged = answer(base, None), answer(base, adapter), answer(context.out, None)
    missed = check_merged(plain, adapted, merged, TOLERANCE)
    print(f"{count} weights merged; on probe inputs the merged model misses {missed:.1%} of the adapter's effect")
    if weights == "nf4":
        moved = moved_share(plain, merged, answer(base, adapter, weights))
        print(f"it answers otherwise than what was trained, on weights of 4 bits, by {moved:.0%} of that effect")


def _adapted(model, adapter: Path | None):
    return (
        model
        if adapter is None
        else PeftModel.from_pretrained(model, str(adapter), autocast_adapter_dtype=False).eval().get_base_model()
    )


def _named(folder: Path, adapter: Path | None) -> str:
    """What an answer that is no number is blamed on."""
    return str(folder) if adapter is None else f"{folder} with {adapter}"


def _probing(section: Embedder | Reranker | Writer, profile: Profile) -> tuple[str, torch.device]:
    """How and where a merge is checked. On a CPU in 32 bits: 16 round by half of what a short training changes.

    A base that trained in 4 bits has no room for its 16 on the GPU, and takes them on the CPU.
    """
    dtype = "float32" if profile.device == "cpu" else section.dtype
    low_bit = not isinstance(section, Writer) and section.weights != "full"
    return dtype, torch.device("cpu") if low_bit else device_of(profile)


def _ship_descriptions(context: StageContext, tokens: int) -> None:
    """What a model reads behind every misconception travels with it."""
    if tokens:
        context.write(context.descriptions(), DESCRIPTIONS)


def _lineage(context: StageContext, base: Path, adapters: list[Path]) -> dict:
    now = weights_digest(base)
    for adapter in adapters:
        trained = adapter.parent if is_whole(adapter.parent) else adapter.parents[1]  # of several students
        then = read_lineage(trained, "base_sha256").base_sha256
        if now != then:
            raise ValueError(
                f"{base} holds other weights ({now[:12]}) than when {trained} ran ({then[:12]}): train again"
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
