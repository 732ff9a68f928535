"""Computes the cross-entropy of tokens from the hidden states in front of them, some at a time. A tokens, D width."""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

HEAD_TOKENS = 1024  # whose 152,064 logits are there at once: 0.6 GB in 32 bits


def token_losses(model: PreTrainedModel, hidden_AD: torch.Tensor, targets_A: torch.Tensor) -> torch.Tensor:
    """Cross-entropy [A], at least float32, of each token; no logits are kept for the backward pass."""
    head = model.get_output_embeddings()
    parts = [
        checkpoint(
            _losses,
            head,
            hidden_AD[first : first + HEAD_TOKENS],
            targets_A[first : first + HEAD_TOKENS],
            use_reentrant=False,
        )
        for first in range(0, len(targets_A), HEAD_TOKENS)
    ]
    return torch.cat(parts)


def _losses(head: torch.nn.Module, hidden_AD: torch.Tensor, targets_A: torch.Tensor) -> torch.Tensor:
    logits = head(hidden_AD)
    return cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), targets_A, reduction="none")
