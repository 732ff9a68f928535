"""Has a reranker learn to write the rationale of a query beside scoring it: one more suffix behind the query.

Candidates and rationale share the query and do not see each other, so a score is what it is without; nothing of it is
there when the model serves. N rows of ids, of which some are rationales; A tokens of these.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from transformers import PreTrainedModel

from inference.engines.transformers.forward import Batch, last_and_in_front, rows_of
from inference.writing.replay import read_texts
from shared.prompts.query import RATIONALES, notes_of
from shared.settings.sections import TrainReranker
from training.trainer.writing.token_loss import token_losses

TARGET = "target"  # the column of the queries that holds what is to be written, null where nothing is
TARGET_TOKENS = 256  # a chain of thought is cut there: its first steps are what a score can gain from


@dataclass(frozen=True)
class Target:
    """The ids of the suffix in front of a text, and of the text that is to be written behind it."""

    before: tuple[int, ...]
    text: tuple[int, ...]


def with_targets(queries: pl.DataFrame, settings: TrainReranker, competition: Path) -> pl.DataFrame:
    """`queries` with the column TARGET: of the file that the settings name, else of what `explain` wrote.

    Raises ValueError where there is no text about any training row.
    """
    if not settings.rationale_loss:
        return queries
    train, kinds = queries.filter(pl.col("fold") == "train"), RATIONALES["both"]
    if settings.rationale_file:
        read = read_texts(competition / settings.rationale_file, kinds)
        texts = {key: notes_of(row) for key, row in read.items()}
    else:
        texts = {row["query_id"]: notes_of(row) for row in train.iter_rows(named=True)}
    told = {key: text for key in train["query_id"] if (text := texts.get(key, "").strip())}
    if not told:
        where = settings.rationale_file or "what explain wrote"
        raise ValueError(f"train_reranker.rationale_loss: {where} has no text about any training row")
    return queries.with_columns(
        pl.col("query_id").replace_strict(told, default=None, return_dtype=pl.String).alias(TARGET)
    )


def scores_and_losses(
    model: PreTrainedModel, yes: int, targets: Mapping[int, Sequence[int]]
) -> Callable[[Batch], torch.Tensor]:
    """A forward pass: the logit of "Yes" behind each of N rows, and the mean cross-entropy of its text's tokens [N, 2].

    `targets` are the last tokens of those rows, by number, that end with a text to be written; the loss of others is 0.
    """

    def forward(batch: Batch) -> torch.Tensor:
        texts = [targets.get(row, ()) for row in rows_of(batch).tolist()]
        counts_N = torch.tensor([len(text) for text in texts])
        last_ND, front_AD = last_and_in_front(model, batch, counts_N)
        weights_D = model.get_output_embeddings().weight[yes]
        scores_N = last_ND @ weights_D.to(last_ND.dtype)
        losses_N = torch.zeros_like(scores_N)
        if len(front_AD):
            tokens_A = torch.tensor([token for text in texts for token in text], device=front_AD.device)
            rows_A = torch.arange(len(texts)).repeat_interleave(counts_N).to(front_AD.device)
            shares_A = token_losses(model, front_AD, tokens_A) / counts_N.to(front_AD.device)[rows_A]
            losses_N = losses_N.index_add(0, rows_A, shares_A.to(losses_N.dtype))
        return torch.stack([scores_N, losses_N], dim=1)

    return forward
