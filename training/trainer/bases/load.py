"""Loads what a reranker is trained from: a language model, a decoder's classifier, or an encoder."""

from pathlib import Path

import torch
from transformers import PreTrainedModel

from inference.engines.transformers.engine import load_causal, load_cross_encoder, load_reranker
from shared.settings.sections import Weights
from training.run_folder.bases import form_of


def load_base_of_reranker(
    folder: Path, dtype: str, device: torch.device, *, packed: bool = False, weights: Weights = "full"
) -> PreTrainedModel:
    """The base in eval mode. `packed` is for decoders on a GPU."""
    form = form_of(folder)
    if form == "cross-encoder":
        return load_cross_encoder(folder, dtype, device)
    load = load_reranker if form == "classifier" else load_causal
    return load(folder, dtype, device, packed=packed, weights=weights)
