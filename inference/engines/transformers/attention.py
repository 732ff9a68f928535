"""Packed attention for decoders: FlexAttention over one long row of tokens, and layers compiled around it."""

import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from transformers import AttentionInterface, PreTrainedModel

from inference.engines.packing.prefix_forest import BLOCK, block_bounds
from inference.engines.transformers.device import send

PACKED = "malrule_packed"  # Transformers lists our attention under this name.
# A compiler that does not know T cannot know that it is a multiple of BLOCK: told so, attention takes 2.2 ms for 3.5.
WHOLE_BLOCKS = {"IS_DIVISIBLE": True}


def is_packed(model: PreTrainedModel) -> bool:
    """Whether the model takes one long row under a BlockMask instead of padded rows under a dense mask."""
    return model.config._attn_implementation == PACKED


def compile_layers(model: PreTrainedModel) -> None:
    """Compile every decoder layer in place; they are alike, so the first call compiles one for all (about 30 s)."""
    for layer in model.base_model.layers:
        layer.compile(dynamic=True)


def block_mask(ends_T: torch.Tensor, device: torch.device) -> BlockMask:
    """The mask on `device` under which token q sees token k where k <= q < ends[k]; T is a multiple of BLOCK."""
    some_KK, every_KK = (send(part, device) for part in block_bounds(ends_T.numpy()))
    ends_T = send(ends_T.int(), device)

    def sees(batch, head, q, k):
        return (k <= q) & (q < ends_T[k])

    partly = _listed(some_KK & ~every_KK)
    return BlockMask.from_kv_blocks(*partly, *_listed(every_KK), BLOCK_SIZE=BLOCK, mask_mod=sees)


def _listed(blocks_KK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How many blocks of k each block of q has [1, 1, K], and which, first of all those [1, 1, K, K]."""
    order = blocks_KK.int().argsort(dim=1, descending=True, stable=True)
    return blocks_KK.sum(1, dtype=torch.int32)[None, None], order.int()[None, None]


def _attend(module: torch.nn.Module, query, key, value, attention_mask: BlockMask, scaling=None, **_):
    """What transformers asks of an attention: [B, heads, T, d] -> [B, T, heads, d]."""
    out = flex_attention(
        query, key, value, block_mask=attention_mask, scale=scaling, enable_gqa=True, kernel_options=WHOLE_BLOCKS
    )
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register(PACKED, _attend)
