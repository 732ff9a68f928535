"""Trains a reranker: the logit of "Yes" for each candidate, a loss from labels and one from a teacher over each group.

b groups of a micro-batch, G group.
"""

from collections.abc import Callable, Sequence

import polars as pl
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from inference.engines.answers import Reach, Strict
from inference.engines.tokenizer import answer_of, reranker_words
from inference.engines.transformers.device import send
from inference.engines.transformers.engine import HFScorer
from inference.engines.transformers.forward import answer_together, yes_logits
from inference.reranking.kinds import KINDS
from inference.reranking.order import order_by_score
from shared.prompts.kinds import kind_of, reading_of
from shared.prompts.pointwise import RerankerPrompt, rationale_target
from shared.prompts.query import misconception_of, query_of
from shared.prompts.reading import Rows
from shared.settings.sections import TrainReranker
from shared.task.current import TASK
from shared.task.folds import labelled_queries, labels_of, seed_of, seen_ids
from shared.task.metrics import find_ranks, summarise
from shared.task.tables import PAIR
from training.trainer.batches import Group, draw_lists, shown_rationale
from training.trainer.group_losses import label_loss, teacher_loss
from training.trainer.writing.rationale_loss import TARGET, TARGET_TOKENS, Target, scores_and_losses


class RerankerObjective:
    """The Objective of every kind of reranker that gives a candidate a logit; its prompt says which kind it is.

    `model` is the model with its adapters in place, without peft's wrapper.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: RerankerPrompt,
        tables: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
        settings: TrainReranker,
        batch_tokens: int,
    ):
        self.model, self.prompt, self.settings, self.reading = model, prompt, settings, reading_of(prompt)
        self.yes = 0 if model.get_output_embeddings() is None else answer_of(tokenizer, prompt)
        self.words = reranker_words(tokenizer)
        self.queries, self.misconceptions, self.candidates = tables
        self.batch_tokens = batch_tokens
        self.asked = {
            (row["query_id"], rationale): self.reading.query(
                self.words, prompt, query_of(row, rationale, prompt.layout)
            )
            for row in self.queries.filter(pl.col("fold") == "train").iter_rows(named=True)
            for rationale in {prompt.rationale, "none"}
        }
        self.known = {
            row["misconception_id"]: self.reading.candidate(self.words, prompt, misconception_of(row))
            for row in self.misconceptions.iter_rows(named=True)
        }

        self.targets = {
            row["query_id"]: Target(*map(tuple, rationale_target(self.words, row[TARGET], TARGET_TOKENS)))
            for row in self.queries.filter(pl.col("fold") == "train").iter_rows(named=True)
            if row.get(TARGET)
        }

    def count_tokens(self, group: Group, seed: str) -> int:
        """See Objective."""
        query, rows = len(self._asked(group, seed)), self._prompts(group, seed)
        tokens = query + rows.tokens if self.settings.share else sum(map(len, rows.ids))
        if target := self.targets.get(group.query_id):
            tokens += len(target.before) + len(target.text) + (0 if self.settings.share else query)
        return tokens

    def accumulate(
        self, update: list[Group], own: Sequence[list[int]], collect: Callable[[], None], seed: str
    ) -> float:
        """See Objective."""
        losses = []
        for micro in own:
            torch.manual_seed(seed_of(seed, micro[0], "dropout") % 2**63)
            loss = self._loss([update[place] for place in micro], seed).sum() / len(update)
            loss.backward()
            collect()
            losses.append(loss.detach())  # read at the end: a GPU would wait for it here
        return sum(loss.item() for loss in losses)

    def evaluate(self) -> dict:
        """MAP@25 of the validation fold's reranked candidates, and the loss where the right answer is among them."""
        valid = labelled_queries(self.queries, "valid")
        if valid.is_empty():
            return {}
        near = self.candidates.filter(
            pl.col("rank") <= self.settings.depth, pl.col("query_id").is_in(valid["query_id"].implode())
        )
        engine = HFScorer(self.model, self.yes, self.batch_tokens)
        scorer = Strict(engine, self.model.name_or_path, Reach(advice="lower the rate"))
        reranker = KINDS[kind_of(self.prompt)].open(scorer, self.words, self.prompt)
        scored = near.select(PAIR).with_columns(reranker.score(valid, self.misconceptions, near).values)
        figures = summarise(
            find_ranks(valid, order_by_score(near, scored)),
            seen_ids(self.queries),
            recall_at=self.settings.depth,
            unseen_weight=TASK.unseen,
        )
        loss = _mean_loss(scored, valid)
        return figures if loss is None else {"eval_loss": loss, **figures}

    def _asked(self, group: Group, seed: str) -> list[int]:
        rationale = shown_rationale(self.prompt.rationale, self.settings, seed, group.query_id)
        return self.asked[group.query_id, rationale]

    def _prompts(self, group: Group, seed: str) -> Rows:
        """The prompts of a group's candidates, in the order of the group, whatever lists they are read in."""
        asked, parts = self._asked(group, seed), [self.known[id_] for id_ in group.misconception_ids]
        ids, tokens = [[]] * len(parts), 0
        for places in draw_lists(group, self.reading.at_once(self.prompt), self.settings.shortest_list, seed):
            rows = self.reading.rows(self.words, self.prompt, asked, [parts[place] for place in places])
            tokens += rows.tokens
            for place, row in zip(places, rows.ids, strict=True):
                ids[place] = row
        return Rows(ids, tokens)

    def _loss(self, groups: list[Group], seed: str) -> torch.Tensor:
        rows = [ids for group in groups for ids in self._prompts(group, seed).ids]
        written = self._written(groups, seed, len(rows)) if self.settings.rationale_loss else {}
        scores_bG, rationale_loss_b = self._answer(groups, rows, written)
        loss_b = self.settings.label_weight * label_loss(scores_bG, self.settings)
        if written:
            loss_b = loss_b + self.settings.rationale_loss * rationale_loss_b
        if self.settings.distill:
            teacher_bG = send(torch.tensor([group.teacher_scores for group in groups]), scores_bG.device)
            loss_b = loss_b + self.settings.distill * teacher_loss(scores_bG, teacher_bG, self.settings)
        return loss_b

    def _written(self, groups: list[Group], seed: str, first: int) -> dict[int, tuple[int, list[int], Target]]:
        """By the number of a row behind the pairs: the group, the query and the rationale that it holds."""
        there = [place for place, group in enumerate(groups) if group.query_id in self.targets]
        return {
            first + number: (place, self._asked(groups[place], seed), self.targets[groups[place].query_id])
            for number, place in enumerate(there)
        }

    def _answer(
        self, groups: list[Group], rows: list[list[int]], written: dict[int, tuple[int, list[int], Target]]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Scores [b, G] of the pairs in `rows`, and the losses [b] of the rationales, 0 where a group has none."""
        share = self.settings.share
        if not written:
            scores_N = answer_together(self.model, rows, lambda b: yes_logits(self.model, b, self.yes), share=share)
            return scores_N.view(len(groups), -1), None
        rows = [*rows, *([*query, *target.before, *target.text] for _, query, target in written.values())]
        texts = {row: target.text for row, (_, _, target) in written.items()}
        both_N2 = answer_together(self.model, rows, scores_and_losses(self.model, self.yes, texts), share=share)
        pairs = len(rows) - len(written)
        places = torch.tensor([place for place, _, _ in written.values()], device=both_N2.device)
        losses_b = both_N2.new_zeros(len(groups)).index_add(0, places, both_N2[pairs:, 1])
        return both_N2[:pairs, 0].view(len(groups), -1), losses_b


def _mean_loss(scored: pl.DataFrame, valid: pl.DataFrame) -> float | None:
    """Cross-entropy of the right answer within a query's candidates, averaged where it is one; None: nowhere."""
    score = pl.col("rerank_score").cast(pl.Float64)
    total = (score - score.max()).exp().sum().log() + score.max()
    totals = scored.group_by("query_id").agg(total.alias("total"))
    right = (
        labels_of(valid)
        .select("query_id", "misconception_id")
        .join(scored, on=["query_id", "misconception_id"])
        .join(totals, on="query_id")
    )
    # sorted: polars joins in no fixed order, and the last digit of a sum depends on it
    right = right.sort("query_id", "misconception_id")
    return right.select((pl.col("total") - pl.col("rerank_score")).mean()).item()
