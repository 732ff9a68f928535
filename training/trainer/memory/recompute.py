"""Chooses which layers compute their activations again for backward: as few as the GPU's memory needs.

4 FLOPs per weight and token without, 6 with; the weights of a 14B model leave room for about 12,000 tokens without.
"""

import torch
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from inference.engines.distributed import largest_over_ranks, rank
from inference.engines.transformers.forward import last_hidden, plan_batches
from shared.settings.sections import Train
from training.trainer.memory.count import FREE_MEMORY_SHARE, count_recomputed

PROBE_TOKENS = 1024


def fit_memory(model: PreTrainedModel, settings: Train) -> None:
    """Set, in place, the layers of `model` (with its adapters) that recompute, by the setting `recompute`."""
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    count = {"all": len(layers), "none": 0, "measured": 0}[settings.recompute]
    if settings.recompute == "measured" and model.device.type == "cuda":
        count = _measure(model, layers, settings.micro_tokens)
    _set(layers, count)


def _measure(model: PreTrainedModel, layers: list[GradientCheckpointingLayer], tokens: int) -> int:
    was_training = model.training
    model.train()
    bytes_a_token = []
    for count in (len(layers), 0):
        _set(layers, count)
        for _ in range(2):  # the first one compiles
            bytes_a_token.append(_step(model) / PROBE_TOKENS)
    model.train(was_training)
    recomputed, kept = bytes_a_token[1], bytes_a_token[3]
    free = FREE_MEMORY_SHARE * torch.cuda.mem_get_info()[0]
    needed = count_recomputed(free, tokens, kept, recomputed, len(layers))
    count = largest_over_ranks(needed, model.device)  # a layer that is spread over the processes needs all to recompute
    if rank() == 0:
        print(f"{count} of {len(layers)} layers recompute: {kept * tokens / 2**30:.1f} GiB for {tokens} tokens without")
    return count


def _step(model: PreTrainedModel) -> int:
    """Peak bytes of a forward and backward pass over PROBE_TOKENS tokens, beyond what is there before and after."""
    rows = [[token % 7 + 1] * (PROBE_TOKENS // 8) for token in range(8)]
    [batch] = plan_batches(model, rows, PROBE_TOKENS, share=False)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    last_hidden(model, batch).sum().backward()
    for parameter in model.parameters():
        parameter.grad = None
    torch.cuda.empty_cache()
    return torch.cuda.max_memory_allocated() - before


def _set(layers: list[GradientCheckpointingLayer], count: int) -> None:
    for number, layer in enumerate(layers):
        layer.gradient_checkpointing = number < count
