"""Chooses the losses over a group by the settings: one for what the labels say, one for what the teacher says.

B queries, G group (column 0 is the positive).
"""

import torch

from shared.settings.sections import Train, TrainReranker
from training.trainer.losses import approx_mrr, distillation, group_cross_entropy, lambda_loss, margin_mse, ranknet


def label_loss(scores_BG: torch.Tensor, settings: TrainReranker) -> torch.Tensor:
    """The reranker's loss [B] from its labels, by `loss`."""
    if settings.loss == "ranknet":
        targets_BG = torch.zeros_like(scores_BG)
        targets_BG[:, 0] = 1
        return ranknet(scores_BG, targets_BG)
    if settings.loss == "lambda":
        return lambda_loss(scores_BG)
    if settings.loss == "approx_mrr":
        return approx_mrr(scores_BG)
    return group_cross_entropy(scores_BG, settings.label_smoothing)


def teacher_loss(scores_BG: torch.Tensor, teacher_BG: torch.Tensor, settings: Train) -> torch.Tensor:
    """The loss [B] of either model from its teacher's scores, by `distill_loss`."""
    if settings.distill_loss == "margin_mse":
        return margin_mse(scores_BG, teacher_BG)
    if settings.distill_loss == "ranknet":
        return ranknet(scores_BG, teacher_BG)
    return distillation(scores_BG, teacher_BG, settings.distill_temperature)
