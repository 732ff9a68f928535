"""Trains the embedder: contrastive loss over the whole update, distillation over each group.

B queries of an update, G group, D width.
"""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import torch
from scipy.special import logsumexp
from transformers import PreTrainedModel

from inference.engines.answers import Reach, Strict
from inference.engines.distributed import lacks_memory_together, rank, sum_over_ranks
from inference.engines.transformers.dense import width_of
from inference.engines.transformers.device import send
from inference.engines.transformers.engine import HFEncoder
from inference.engines.transformers.forward import answer_together, embed
from inference.fusion.blend import candidate_table
from inference.retrieval.exact_search import search
from inference.retrieval.retrieve import query_prompts
from shared.artifacts.card import EmbedderCard
from shared.prompts.embedder import embedder_passage, embedder_query
from shared.prompts.query import misconception_of, query_of
from shared.prompts.words import Words
from shared.settings.sections import TrainEmbedder
from shared.task.current import TASK
from shared.task.folds import alike, labelled_queries, labels_of, right_ids, seed_of, seen_ids
from shared.task.metrics import find_ranks, summarise
from training.trainer.batches import Group, choose_training_examples, shown_rationale
from training.trainer.group_losses import teacher_loss
from training.trainer.losses import contrastive, group_scores
from training.trainer.memory.fsdp import is_spread


class EmbedderObjective:
    """The embedder's Objective. `model` is the model with its adapters in place, without peft's wrapper."""

    def __init__(
        self,
        model: PreTrainedModel,
        words: Words,
        card: EmbedderCard,
        tables: tuple[pl.DataFrame, pl.DataFrame],
        settings: TrainEmbedder,
        batch_tokens: int,
    ):
        self.model, self.words, self.card, self.settings = model, words, card, settings
        self.queries, self.misconceptions = tables
        self.batch_tokens = batch_tokens
        self.alike = alike(self.misconceptions)
        self.rows = {row["query_id"]: row for row in self.queries.iter_rows(named=True)}
        self.passages = {
            row["misconception_id"]: embedder_passage(words, card.prompt, misconception_of(row))
            for row in self.misconceptions.iter_rows(named=True)
        }

    def count_tokens(self, group: Group, seed: str) -> int:
        """See Objective."""
        passages = sum(len(self.passages[id_]) for id_ in group.misconception_ids)
        return len(self._query(group, seed)) + passages

    def accumulate(
        self, update: list[Group], own: Sequence[list[int]], collect: Callable[[], None], seed: str
    ) -> float:
        """See Objective. One micro-batch keeps its graph; more are each encoded again for backward (GradCache)."""
        keep = len(own) == 1
        parts = []
        # The processes exchange vectors next: one without memory for its own must not leave the others waiting there.
        with lacks_memory_together(self.model.device, alone=is_spread(self.model)), torch.set_grad_enabled(keep):
            for micro in own:
                parts.append(self._encode([update[place] for place in micro], seed, micro[0]))
        leaves_BGD = self._gather(update, own, parts).requires_grad_()
        loss = self._loss(leaves_BGD, update)
        loss.backward()
        for micro, vectors in zip(own, parts, strict=True):
            if not keep:
                vectors = self._encode([update[place] for place in micro], seed, micro[0])
            vectors.backward(leaves_BGD.grad[send(torch.tensor(micro), leaves_BGD.device)])
            collect()
        return loss.item() if rank() == 0 else 0.0  # every process has computed all of it

    def evaluate(self) -> dict:
        """Loss against the whole catalogue, MAP@25 and recall@depth on all of the validation fold."""
        valid = labelled_queries(self.queries, "valid")
        if valid.is_empty():
            return {}
        engine = HFEncoder(self.model, self.card.pooling, self.batch_tokens)
        encoder = Strict(engine, self.model.name_or_path, Reach(advice="lower the rate"))
        asked = encoder.encode(query_prompts(valid, self.words, self.card))
        known = encoder.encode(list(self.passages.values()))
        ids = np.fromiter(self.passages, np.int64)
        candidates = candidate_table(
            valid["query_id"], *search(asked, known, ids, max(TASK.metric.depth, self.settings.depth))
        )
        loss = _catalogue_loss(asked @ known.T / self.settings.temperature, ids, valid)
        return {
            "eval_loss": loss,
            **summarise(
                find_ranks(valid, candidates),
                seen_ids(self.queries),
                recall_at=self.settings.depth,
                unseen_weight=TASK.unseen,
            ),
        }

    def _encode(self, groups: list[Group], seed: str, start: int) -> torch.Tensor:
        """[b, 1 + G, D]: each group's query, then its passages."""
        torch.manual_seed(seed_of(seed, start, "dropout") % 2**63)
        rows = [
            row
            for group in groups
            for row in (self._query(group, seed), *(self.passages[id_] for id_ in group.misconception_ids))
        ]
        share = self.settings.share and self.card.pooling == "last"
        pooling = self.card.pooling
        vectors_ND = answer_together(self.model, rows, lambda batch: embed(self.model, batch, pooling), share=share)
        return vectors_ND.view(len(groups), -1, vectors_ND.shape[-1])

    def _query(self, group: Group, seed: str) -> list[int]:
        row = self.rows[group.query_id]
        prompt = self.card.prompt
        rationale = shown_rationale(prompt.rationale, self.settings, seed, group.query_id)
        text = query_of(row, rationale, prompt.layout)
        if not prompt.task:
            return embedder_query(self.words, prompt, (), text)
        examples = choose_training_examples(
            self.card.examples,
            row["question_id"],
            right_ids(row),
            most=self.settings.max_examples,
            seed=seed_of(seed) if self.settings.shared_examples else seed_of(seed, group.query_id),
        )
        return embedder_query(self.words, prompt, examples, text)

    def _gather(self, update: list[Group], own: Sequence[list[int]], parts: list[torch.Tensor]) -> torch.Tensor:
        group = len(update[0].misconception_ids)
        shape, dtype = (len(update), 1 + group, width_of(self.model)), self.model.dtype
        vectors_BGD = torch.zeros(shape, dtype=torch.promote_types(dtype, torch.float32), device=self.model.device)
        for micro, vectors in zip(own, parts, strict=True):
            vectors_BGD[send(torch.tensor(micro), vectors_BGD.device)] = vectors.detach()
        return sum_over_ranks(vectors_BGD)

    def _loss(self, vectors_BGD: torch.Tensor, update: list[Group]) -> torch.Tensor:
        queries_BD, passages_BGD = vectors_BGD[:, 0], vectors_BGD[:, 1:]
        ids = [[self.alike[id_] for id_ in group.misconception_ids] for group in update]
        ids_BG = send(torch.tensor(ids), vectors_BGD.device)
        others = [tuple(self.alike[id_] for id_ in group.others) for group in update]
        others_BO = _side_by_side(others, ids_BG.device)
        if not self.settings.mask_equal:
            ids_BG, others_BO = torch.arange(ids_BG.numel(), device=ids_BG.device).view_as(ids_BG), None
        loss_B = contrastive(queries_BD, passages_BGD, ids_BG, self.settings.temperature, others_BO)
        loss_B = self.settings.label_weight * loss_B
        if self.settings.distill:
            teacher_BG = send(torch.tensor([group.teacher_scores for group in update]), vectors_BGD.device)
            scores_BG = group_scores(queries_BD, passages_BGD, self.settings.temperature)
            loss_B = loss_B + self.settings.distill * teacher_loss(scores_BG, teacher_BG, self.settings)
        return loss_B.mean()


def _side_by_side(others: Sequence[tuple[int, ...]], device: torch.device) -> torch.Tensor | None:
    """[B, O], filled up with -1; None where no query has another right answer."""
    most = max(map(len, others))
    return send(torch.tensor([[*own, *[-1] * (most - len(own))] for own in others]), device) if most else None


def _catalogue_loss(scores: np.ndarray, ids: np.ndarray, valid: pl.DataFrame) -> float:
    """Cross-entropy of the right answers of the queries `valid` among all, from scores [queries, ids]."""
    column = {id_: place for place, id_ in enumerate(ids.tolist())}
    row = {query_id: place for place, query_id in enumerate(valid["query_id"])}
    right = labels_of(valid)
    places = [row[query_id] for query_id in right["query_id"]]
    scores = scores.astype(np.float64)
    total = logsumexp(scores, axis=1)
    return float(np.mean(total[places] - scores[places, [column[id_] for id_ in right["misconception_id"].to_list()]]))
