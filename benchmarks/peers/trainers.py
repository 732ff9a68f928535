"""Trains with the peers' own trainers on a run's groups: FlagEmbedding a reranker, sentence-transformers an embedder.

Same texts, epochs, batch, rate, warm-up and LoRA as ours. FlagEmbedding draws negatives and order itself, from the same
mined ones; sentence-transformers gets the very updates of ours. Prompts are the peer's own.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import BatchSampler

from shared.prompts.query import row_text
from shared.settings.sections import TrainEmbedder, TrainReranker
from shared.task.tables import GROUPS
from training.run_folder.stage_context import StageContext
from training.trainer.batches import draw_epoch, read_groups

MICRO_GROUPS = 4  # FlagEmbedding computes as many at once: with 16 rows each they have about 18,000 tokens.
FLAG_LENGTHS = {"query_max_len": 384, "passage_max_len": 64}


@dataclass(frozen=True)
class Shown:
    """What a training query is shown with, as texts."""

    query: str
    positive: str
    negatives: tuple[str, ...]


class Updates(BatchSampler):
    """Consecutive rows as batches of these sizes."""

    def __init__(self, sizes: Sequence[int]):
        super().__init__(range(sum(sizes)), max(sizes), drop_last=False)
        self.sizes = sizes

    def __iter__(self) -> Iterator[list[int]]:
        rows = itertools.count()
        return (list(itertools.islice(rows, size)) for size in self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)


def read_shown(context: StageContext, stage: str) -> list[Shown]:
    """The groups that `stage` mined for the training fold, as texts."""
    show = _shower(context)
    return [show(one.query_id, one.misconception_ids) for one in read_groups(context.read(GROUPS, stage))]


def read_updates(context: StageContext, stage: str, settings: TrainEmbedder) -> list[list[Shown]]:
    """The updates of all epochs that ours trains with, as texts."""
    show, mined = _shower(context), read_groups(context.read(GROUPS, stage))
    how = {"group": settings.group, "batch": settings.batch, "seed": settings.seed}
    epochs = [draw_epoch(mined, epoch=epoch, **how) for epoch in range(1, settings.epochs + 1)]
    return [[show(one.query_id, one.misconception_ids) for one in update] for epoch in epochs for update in epoch]


def _shower(context: StageContext) -> Callable[[str, Sequence[int]], Shown]:
    """What makes texts of a query and its misconceptions, the positive first."""
    queries, misconceptions = context.texts()
    rows = {row["query_id"]: row_text(row) for row in queries.iter_rows(named=True)}
    texts = dict(misconceptions.iter_rows())
    return lambda query_id, ids: Shown(rows[query_id], texts[ids[0]], tuple(texts[id_] for id_ in ids[1:]))


def train_flagembedding_reranker(
    base: Path, shown: Sequence[Shown], instruction: str, settings: TrainReranker, seed: int, out: Path
) -> None:
    """Fill `out` with an adapter. Raises ValueError when its loss is not finite."""
    from FlagEmbedding.abc.finetune.reranker import AbsRerankerDataArguments, AbsRerankerTrainingArguments
    from FlagEmbedding.finetune.reranker.decoder_only.base import DecoderOnlyRerankerRunner, RerankerModelArguments

    micro, cuda = min(MICRO_GROUPS, settings.batch), torch.cuda.is_available()
    file = out.with_suffix(".jsonl")
    file.write_text("".join(json.dumps(_flag_row(one, instruction)) + "\n" for one in shown), encoding="utf-8")
    lora = settings.lora
    runner = DecoderOnlyRerankerRunner(
        RerankerModelArguments(
            model_name_or_path=str(base),
            model_type="decoder",
            lora_rank=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets),
        ),
        AbsRerankerDataArguments(
            train_data=[str(file)],
            cache_path=str(out.with_suffix(".cache")),
            train_group_size=settings.group,
            pad_to_multiple_of=8,
            **FLAG_LENGTHS,
            query_instruction_for_rerank="A: ",
            passage_instruction_for_rerank="B: ",
        ),
        AbsRerankerTrainingArguments(
            output_dir=str(out),
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=settings.batch // micro,
            dataloader_drop_last=True,  # its loss wants whole batches
            learning_rate=settings.rate,
            weight_decay=settings.weight_decay,
            warmup_steps=_warmup(settings, len(shown)),
            max_grad_norm=settings.clip,
            bf16=cuda,
            use_cpu=not cuda,
            save_strategy="no",
            logging_steps=5,
            report_to=[],
            disable_tqdm=True,
            seed=seed,
        ),
    )
    runner.run()
    losses = [entry["loss"] for entry in runner.trainer.state.log_history if "loss" in entry]
    if not all(map(math.isfinite, losses)) or 0.0 in losses:  # its trainer writes 0 for NaN
        raise ValueError(f"FlagEmbedding's loss was not finite: {losses}")


def train_sentence_transformers_embedder(
    base: Path, updates: Sequence[Sequence[Shown]], settings: TrainEmbedder, seed: int, out: Path, tokens: int
):
    """The trained SentenceTransformer; `updates` are those of all epochs, `tokens` is the longest text.

    BatchSamplers.NO_DUPLICATES, which its documentation advises, would see a quarter of the queries in an epoch: a
    batch of 64 x 8 passages without a repeated one takes 512 of the 576 misconceptions that training has.
    """
    from datasets import Dataset
    from peft import LoraConfig
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    model, lora, cuda = SentenceTransformer(str(base)), settings.lora, torch.cuda.is_available()
    model.max_seq_length = tokens
    torch.manual_seed(seed)
    model.add_adapter(
        LoraConfig(
            task_type="FEATURE_EXTRACTION",
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets),
        )
    )
    shown = [one for update in updates for one in update]
    columns = {"anchor": [one.query for one in shown], "positive": [one.positive for one in shown]}
    for place in range(settings.group - 1):
        columns[f"negative_{place + 1}"] = [one.negatives[place] for one in shown]
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(out),
            num_train_epochs=1,  # the rows are those of all epochs
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.rate,
            weight_decay=settings.weight_decay,
            warmup_steps=max(round(settings.warmup * len(updates)), 1),
            max_grad_norm=settings.clip,
            batch_sampler=lambda *_, **__: Updates(list(map(len, updates))),
            use_cpu=not cuda,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=seed,
        ),
        train_dataset=Dataset.from_dict(columns),
        loss=MultipleNegativesRankingLoss(model, scale=1 / settings.temperature),
    )
    trainer.train()
    return model


def _warmup(settings: TrainReranker, queries: int) -> int:
    return max(round(settings.warmup * settings.epochs * -(-queries // settings.batch)), 1)


def _flag_row(one: Shown, instruction: str) -> dict:
    return {"query": one.query, "pos": [one.positive], "neg": list(one.negatives), "prompt": instruction}
