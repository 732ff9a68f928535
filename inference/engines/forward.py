"""The two forward passes, with gradients or without: unit vectors of texts, and logits of "Yes" of whole groups.

A group is one row: the query is computed once, its candidates stand behind it, each sees the query and itself only,
and each one's positions begin behind the query. That is exact, and a third of the tokens of a pair for each candidate.

Shapes: B rows of a batch, T tokens, S candidates of the batch, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch.nn.functional import normalize
from transformers import PreTrainedModel

from shared.settings import Pooling

Rows = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Tree:
    """A query's ids and, behind it, the ids of each of its candidates."""

    prefix: Sequence[int]
    suffixes: Rows

    def __len__(self) -> int:
        """Tokens that are computed."""
        return len(self.prefix) + sum(map(len, self.suffixes))


def embed(model: PreTrainedModel, rows: Rows, pooling: Pooling) -> torch.Tensor:
    """Unit vectors [B, D] float32 of B rows of ids, by the last token or by the mean of all tokens."""
    lengths = torch.tensor([len(row) for row in rows])
    mask_BT = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
    ids_BT = torch.zeros(mask_BT.shape, dtype=torch.long)  # what stands in the padding is never looked at
    ids_BT[mask_BT] = torch.tensor(list(chain.from_iterable(rows)))
    ids_BT, mask_BT = ids_BT.to(model.device), mask_BT.to(model.device)
    hidden_BTD = model(input_ids=ids_BT, attention_mask=mask_BT.long(), use_cache=False).last_hidden_state
    if pooling == "last":
        pooled_BD = _at_least_32_bits(hidden_BTD[torch.arange(len(rows), device=model.device), mask_BT.sum(1) - 1])
    else:
        weights_BT1 = mask_BT.unsqueeze(-1)
        pooled_BD = (_at_least_32_bits(hidden_BTD) * weights_BT1).sum(1) / weights_BT1.sum(1)
    return normalize(pooled_BD, dim=-1)


def yes_logits(model: PreTrainedModel, trees: Sequence[Tree], yes: int) -> torch.Tensor:
    """Logits of "Yes" [S] float32 after each candidate of each tree; no other logit is computed."""
    ids_BT, branches_BT, positions_BT, rows_S, lasts_S = _lay_out(trees)
    branches_BT = branches_BT.to(model.device)
    sees_BTT = (branches_BT.unsqueeze(1) == 0) | (branches_BT.unsqueeze(1) == branches_BT.unsqueeze(2))
    hidden_BTD = model.base_model(
        input_ids=ids_BT.to(model.device),
        attention_mask=sees_BTT.tril().unsqueeze(1),
        position_ids=positions_BT.to(model.device),
        use_cache=False,
    ).last_hidden_state
    last_SD = hidden_BTD[rows_S.to(model.device), lasts_S.to(model.device)]
    head_D = model.get_output_embeddings().weight[yes]
    return _at_least_32_bits(last_SD) @ _at_least_32_bits(head_D)


def _lay_out(trees: Sequence[Tree]) -> tuple[torch.Tensor, ...]:
    """Ids, branches (0 the query, 1 and on its candidates, -1 padding) and positions [B, T]; row and last token [S]."""
    shape = (len(trees), max(map(len, trees)))
    ids, branches, positions = np.zeros(shape, np.int64), np.full(shape, -1), np.zeros(shape, np.int64)
    rows, lasts = [], []
    for row, tree in enumerate(trees):
        start, prefix = len(tree.prefix), len(tree.prefix)
        ids[row, : len(tree)] = [*tree.prefix, *chain.from_iterable(tree.suffixes)]
        branches[row, :prefix], positions[row, :prefix] = 0, np.arange(prefix)
        for branch, suffix in enumerate(tree.suffixes, 1):
            end = start + len(suffix)
            branches[row, start:end], positions[row, start:end] = branch, np.arange(prefix, prefix + len(suffix))
            rows.append(row)
            lasts.append(end - 1)
            start = end
    return tuple(torch.from_numpy(np.asarray(part)) for part in (ids, branches, positions, rows, lasts))


def _at_least_32_bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()
