"""Gives decoders attention over forests of rows: each model's own mask and softmax, on whatever lies end to end.

Transformers asks the attention that a model was loaded with for the mask of every kind of layer, with a function that
says whether a token at one place sees one at another: causal, within a window, or both ways. Here places in the forest
are not places in a row, so that function is asked about the places in the rows, and only along one row. What else a
model does to its scores, a soft cap or a sink, comes to the attention as keywords.

Shapes: B rows of a batch, T tokens, K blocks of BLOCK tokens, H heads, d width of a head.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch.nn.attention.flex_attention import AuxRequest, BlockMask, flex_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from inference.engines.packing.prefix_forest import BLOCK, block_bounds
from inference.engines.transformers.device import send

# The names under which transformers lists our attentions.
PACKED = "malrule_packed"  # one long row, on a GPU
DENSE = "malrule_dense"  # padded rows
# A compiler that does not know T cannot know that it is a multiple of BLOCK: told so, attention takes 2.2 ms for 3.5.
WHOLE_BLOCKS = {"IS_DIVISIBLE": True}

Sees = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # places of q and k in a row -> whether q sees k


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a batch lie: in its rows, and which of them follow which, as in prefix_forest.py."""

    ends_BT: torch.Tensor  # on the CPU
    positions_BT: torch.Tensor  # on the CPU
    device: torch.device


_layout: ContextVar[Layout | None] = ContextVar("layout", default=None)


@contextmanager
def laid_out(layout: Layout) -> Iterator[None]:
    """Within it the masks of a model that was loaded with PACKED or DENSE are those of this layout."""
    token = _layout.set(layout)
    try:
        yield
    finally:
        _layout.reset(token)


def is_packed(model: PreTrainedModel) -> bool:
    """Whether the model takes one long row under a BlockMask instead of padded rows under a dense mask."""
    return model.config._attn_implementation == PACKED


def takes_forests(model: PreTrainedModel) -> bool:
    """Whether the model's rows may share what they begin with, in a forest."""
    return model.config._attn_implementation in (PACKED, DENSE)


def compile_layers(model: PreTrainedModel) -> None:
    """Compile every decoder layer in place; they are alike, so the first call compiles one for all (about 30 s)."""
    for layer in model.base_model.layers:
        layer.compile(dynamic=True)


def dense_mask(layout: Layout, sees: Sees) -> torch.Tensor:
    """[B, 1, T, T] on the layout's device: whether token q sees token k, which lies on one row with it."""
    ends_BT, positions_BT = send(layout.ends_BT, layout.device), send(layout.positions_BT, layout.device)
    q_T = torch.arange(ends_BT.shape[1], device=layout.device)
    follows_BTT = (q_T[:, None] < ends_BT[:, None]).tril()  # q comes behind k on a row
    seen_BTT = sees(positions_BT[:, :, None], positions_BT[:, None])
    return ((follows_BTT | follows_BTT.mT) & seen_BTT).unsqueeze(1)


def block_mask(layout: Layout, sees: Sees) -> BlockMask:
    """The same for one long row, in blocks; T is a multiple of BLOCK."""
    ends_T, positions_T, longest = layout.ends_BT[0], layout.positions_BT[0], layout.positions_BT.max()
    some_KK, every_KK = (send(part, layout.device) for part in block_bounds(ends_T.numpy()))
    ends_T = send(ends_T.int(), layout.device)

    def follows(batch, head, q, k):
        return (k <= q) & (q < ends_T[k])

    first = torch.zeros_like(longest)
    if sees(longest, first) and not sees(first, longest):  # no window that these rows would notice
        partly = _listed(some_KK & ~every_KK)
        return BlockMask.from_kv_blocks(*partly, *_listed(every_KK), BLOCK_SIZE=BLOCK, mask_mod=follows)
    positions_T = send(positions_T.int(), layout.device)

    def on_one_row(batch, head, q, k):
        along = follows(batch, head, q, k) | follows(batch, head, k, q)
        return along & sees(positions_T[q], positions_T[k])

    return BlockMask.from_kv_blocks(*_listed(some_KK | some_KK.T), BLOCK_SIZE=BLOCK, mask_mod=on_one_row)


def _listed(blocks_KK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How many blocks of k each block of q has [1, 1, K], and which, first of all those [1, 1, K, K]."""
    order = blocks_KK.int().argsort(dim=1, descending=True, stable=True)
    return blocks_KK.sum(1, dtype=torch.int32)[None, None], order.int()[None, None]


def _make_mask(*, mask_function: Callable, config, **rest) -> torch.Tensor | BlockMask | None:
    """What transformers asks of a mask: the layout's, or, where nothing was laid out, the ordinary one of rows."""
    layout = _layout.get()
    if layout is None:
        assert config._attn_implementation == DENSE, "a packed model takes forests alone"
        always = {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}  # a soft cap needs the mask
        return sdpa_mask(mask_function=mask_function, config=config, **{**rest, **always})

    def sees(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return mask_function(0, 0, q, k)

    make = block_mask if config._attn_implementation == PACKED else dense_mask
    return make(layout, sees)


def _attend_packed(module: torch.nn.Module, query, key, value, attention_mask: BlockMask, **how):
    """What transformers asks of an attention: [B, H, T, d] -> [B, T, H, d]."""
    softcap, sinks_H = how.get("softcap"), how.get("s_aux")

    def cap(score, batch, head, q, k):
        return softcap * torch.tanh(score / softcap)

    options = {"block_mask": attention_mask, "scale": how.get("scaling"), "enable_gqa": True}
    options |= {"score_mod": cap if softcap else None, "kernel_options": WHOLE_BLOCKS}
    if sinks_H is None:
        out = flex_attention(query, key, value, **options)
    else:  # a sink takes its share of every softmax and gives nothing
        out, aux = flex_attention(query, key, value, **options, return_aux=AuxRequest(lse=True))
        out = out * torch.sigmoid(aux.lse - sinks_H.view(1, -1, 1)).unsqueeze(-1).to(out.dtype)
    return out.transpose(1, 2).contiguous(), None


def _attend_dense(
    module: torch.nn.Module, query, key, value, attention_mask, *, scaling=None, softcap=None, s_aux=None, **rest
):
    """The same under a dense mask; PyTorch's own attention knows neither caps nor sinks."""
    if softcap is None and s_aux is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **rest)
    key, value = (repeat_kv(part, query.shape[1] // part.shape[1]) for part in (key, value))
    scores_BHTT = query @ key.mT * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap is not None:
        scores_BHTT = softcap * torch.tanh(scores_BHTT / softcap)
    if attention_mask is not None:
        scores_BHTT = scores_BHTT.masked_fill(~attention_mask, torch.finfo(scores_BHTT.dtype).min)
    if s_aux is not None:
        sinks = s_aux.view(1, -1, 1, 1).expand(*scores_BHTT.shape[:3], 1)
        scores_BHTT = torch.cat([scores_BHTT, sinks.to(scores_BHTT.dtype)], dim=-1)
    shares = scores_BHTT.softmax(-1, dtype=torch.promote_types(scores_BHTT.dtype, torch.float32)).to(value.dtype)
    return (shares[..., : key.shape[2]] @ value).transpose(1, 2).contiguous(), None


for _name, _attend in ((PACKED, _attend_packed), (DENSE, _attend_dense)):
    AttentionInterface.register(_name, _attend)
    AttentionMaskInterface.register(_name, _make_mask)
