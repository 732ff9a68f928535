"""The losses, as pure functions of tensors.

B queries, G group (column 0 is the positive), D width. Each returns one number for each query [B], so that a caller
can divide by the size of the whole update: the weights then do not depend on the number of GPUs. The embedder learns
from `contrastive` (embedder.py beside this file), the reranker from `group_cross_entropy` (pointwise_reranker.py), and
both, where there is a teacher, from `distillation` too.
"""

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax


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


def distillation(scores_BG: torch.Tensor, teacher_BG: torch.Tensor) -> torch.Tensor:
    """Of both: KL divergence [B] from the teacher's softmax over the group to the student's."""
    return kl_div(log_softmax(scores_BG, -1), log_softmax(teacher_BG, -1), reduction="none", log_target=True).sum(-1)
