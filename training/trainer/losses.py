"""The losses, as pure functions of tensors.

B queries, G group (column 0 is the positive), D width. Each returns one number for each query [B], so that a caller
can divide by the size of the whole update: the weights then do not depend on the number of GPUs. The embedder learns
from `contrastive` (embedder.py beside this file), the reranker from its labels by `group_cross_entropy` or another
loss of its group (pointwise_reranker.py), and both, where there is a teacher, from `distillation`, `margin_mse` or
`ranknet` too. group_losses.py says which setting chooses which.
"""

from math import log

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softplus

LAMBDA_MU = 10.0  # weight of the first of LambdaLoss's two discounts, as in NDCG-Loss2++ of the paper


def contrastive(
    queries_BD: torch.Tensor,
    passages_BGD: torch.Tensor,
    ids_BG: torch.Tensor,
    temperature: float,
    others_BO: torch.Tensor | None = None,
) -> torch.Tensor:
    """The embedder's: InfoNCE [B] of each query's positive against all passages of the update, own group or not.

    A passage elsewhere in the update with the id of the query's positive, or of another right answer of the query
    (`others_BO`, filled up with -1), is no negative and is masked; ids of the same words are given as one.
    """
    B, G, _ = passages_BGD.shape
    scores_BP = queries_BD @ passages_BGD.flatten(0, 1).T / temperature
    same_BP = ids_BG[:, :1] == ids_BG.flatten()
    if others_BO is not None:
        same_BP |= (others_BO.unsqueeze(2) == ids_BG.flatten()).any(1)
    target_B = torch.arange(B, device=scores_BP.device) * G
    same_BP.scatter_(1, target_B.unsqueeze(1), False)  # an assignment would wait for the GPU
    return cross_entropy(scores_BP.masked_fill(same_BP, float("-inf")), target_B, reduction="none")


def group_scores(queries_BD: torch.Tensor, passages_BGD: torch.Tensor, temperature: float) -> torch.Tensor:
    """The embedder's scores [B, G] of each query with the passages of its own group."""
    return torch.einsum("bd,bgd->bg", queries_BD, passages_BGD) / temperature


def group_cross_entropy(scores_BG: torch.Tensor, label_smoothing: float) -> torch.Tensor:
    """The reranker's: cross-entropy [B] of the positive in its group; smoothing spreads its share over the group."""
    target_B = torch.zeros(len(scores_BG), dtype=torch.long, device=scores_BG.device)
    return cross_entropy(scores_BG, target_B, reduction="none", label_smoothing=label_smoothing)


def distillation(scores_BG: torch.Tensor, teacher_BG: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Of both: KL divergence [B] from the teacher's softmax over the group to the student's.

    Both are softened by `temperature`; its square keeps the gradient as large (Hinton and others, 2015).
    """
    student, teacher = log_softmax(scores_BG / temperature, -1), log_softmax(teacher_BG / temperature, -1)
    return kl_div(student, teacher, reduction="none", log_target=True).sum(-1) * temperature**2


def margin_mse(scores_BG: torch.Tensor, teacher_BG: torch.Tensor) -> torch.Tensor:
    """Of both: mean squared difference [B] of how far the positive is in front, to student and to teacher.

    Over the negatives of the group (Hofstaetter and others, 2020). It holds the student to the teacher's scale.
    """
    margins, wanted = (one[:, :1] - one[:, 1:] for one in (scores_BG, teacher_BG))
    return (margins - wanted).square().mean(-1)


def ranknet(scores_BG: torch.Tensor, targets_BG: torch.Tensor) -> torch.Tensor:
    """Logistic loss [B] of every pair that the targets order, mean over these pairs (Burges and others, 2005).

    Targets are a teacher's scores, or 1 for the positive and 0 for the others. A row whose targets are all alike has 0.
    """
    losses_BGG = softplus(scores_BG.unsqueeze(1) - scores_BG.unsqueeze(2))  # [b, i, j]: i should be in front of j
    ordered_BGG = targets_BG.unsqueeze(2) > targets_BG.unsqueeze(1)
    return (losses_BGG * ordered_BGG).sum((1, 2)) / ordered_BGG.sum((1, 2)).clamp(min=1)


def lambda_loss(scores_BG: torch.Tensor) -> torch.Tensor:
    """The reranker's: NDCG-Loss2++ [B] of the LambdaLoss framework, with column 0 as the one relevant candidate.

    The sum over the negatives of a pair's logistic loss in bits, weighted by what a change of places is worth in NDCG
    (Wang and others, 2018). The ranks are those of the scores now; no gradient goes through them.
    """
    ranks_BG = 1 + scores_BG.detach().argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    first_B1, others_BN = ranks_BG[:, :1], ranks_BG[:, 1:]
    apart_BN = (first_B1 - others_BN).abs()
    by_distance_BN = _discount(apart_BN) - _discount(apart_BN + 1)
    by_rank_BN = (_discount(first_B1) - _discount(others_BN)).abs()
    weights_BN = (LAMBDA_MU * by_distance_BN + by_rank_BN).to(scores_BG.dtype)
    bits_BN = softplus(scores_BG[:, 1:] - scores_BG[:, :1]) / log(2)
    return (weights_BN * bits_BN).sum(-1)


def approx_mrr(scores_BG: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """The reranker's: 1 - 1 / rank [B] of the positive, with a rank that has a gradient (Qin and others, 2010).

    Each negative adds its chance of standing in front, sigmoid(difference / temperature), to a rank of 1.
    """
    ranks_B = 1 + torch.sigmoid((scores_BG[:, 1:] - scores_BG[:, :1]) / temperature).sum(-1)
    return 1 - 1 / ranks_B


def _discount(ranks: torch.Tensor) -> torch.Tensor:
    """What NDCG multiplies the gain at a rank from 1 on by."""
    return 1 / torch.log2(1 + ranks.to(torch.float64))
