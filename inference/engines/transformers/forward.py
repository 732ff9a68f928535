"""The two forward passes, with gradients or without: unit vectors of rows of ids, and logits of "Yes" behind them.

What rows begin with alike is computed once (prefix_forest.py). A packed model takes a whole forest as one row; any
other takes small forests as padded rows under a dense mask, or, if its family is not known to, every row alone.

Shapes: N rows of ids, B rows of a batch, T tokens, D width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch.nn.functional import normalize
from transformers import PreTrainedModel

from inference.engines.packing.padded_batches import cut_batches
from inference.engines.packing.prefix_forest import BLOCK, Forest, Rows, grow
from inference.engines.protocols import Answer
from inference.engines.transformers.attention import Layout, is_packed, laid_out, takes_forests
from inference.engines.transformers.dense import behind_pooling
from inference.engines.transformers.device import send
from inference.engines.transformers.families import is_cross_encoder, shares_prefixes
from shared.prompts.embedder import Pooling

DENSE_TOKENS = 1024  # A forest under a dense mask has no more: attention is quadratic in them.
LAST_FOREST_TOKENS = 4096  # The last forests of a queue fill a GPU with them, and no other GPU waits long for one.
DENSE_SHARED_TOKENS = 16  # Two rows under a dense mask lie together where they share as many: before, it does not pay.

Batch = Sequence[Forest]

_gradient_scale: ContextVar[float] = ContextVar("gradient_scale", default=1.0)


@contextmanager
def scaled_gradients(scale: float) -> Iterator[None]:
    """Within it the gradients of a model are those of `scale` times the loss, which itself stays as it is."""
    token = _gradient_scale.set(scale)
    try:
        yield
    finally:
        _gradient_scale.reset(token)


def plan_batches(
    model: PreTrainedModel,
    rows: Rows,
    batch_tokens: int,
    *,
    share: bool = True,
    queue: bool = False,
    apart: bool = False,
) -> list[Batch]:
    """Batches that hold every row once, each of at most `batch_tokens` tokens with padding (or one forest).

    Where tokens see each other both ways, rows cannot share any. The last batches of a `queue` of a packed model are
    small, so that the processes that take from it end together. `apart` puts every row where no other one's NaN can
    reach it.
    """
    share = share and not apart and shares_prefixes(model)
    if is_packed(model) and apart:
        return [[Forest(rows, [row], [0])] for row in range(len(rows))]
    if is_packed(model):
        return [
            [forest]
            for forest in grow(rows, most=batch_tokens, share=share, last=LAST_FOREST_TOKENS if queue else None)
        ]
    least = DENSE_SHARED_TOKENS if share else max(map(len, rows), default=0) + 1  # without sharing every row lies alone
    forests = grow(rows, most=DENSE_TOKENS, least=least, share=share)
    return [[forests[place] for place in batch] for batch in cut_batches(list(map(len, forests)), batch_tokens)]


def answer_together(
    model: PreTrainedModel, rows: Rows, forward: Callable[[Batch], torch.Tensor], *, share: bool = True
) -> torch.Tensor:
    """What `forward` says of each row [N, ...], in order: a packed model gets one batch, another some by length."""
    batches = plan_batches(model, rows, sum(map(len, rows)), share=share)
    order = np.concatenate([rows_of(batch) for batch in batches]).argsort()
    return torch.cat([forward(batch) for batch in batches])[send(order, model.device)]


def rows_of(batch: Batch) -> np.ndarray:
    """Numbers [N] of the batch's rows, in the order in which the forward passes answer."""
    return np.concatenate([forest.rows for forest in batch])


def embed(model: PreTrainedModel, batch: Batch, pooling: Pooling) -> torch.Tensor:
    """Unit vectors [N, D] float32 of the batch's rows: the last token's, the first one's, or the mean of all tokens."""
    pooled_ND = {"mean": _mean, "cls": _first, "last": last_hidden}[pooling](model, batch)
    return normalize(behind_pooling(model, pooled_ND), dim=-1)


def yes_logits(model: PreTrainedModel, batch: Batch, yes: Answer) -> torch.Tensor:
    """Logits of "Yes" [N] float32 behind the batch's rows; no other logit is computed.

    `yes` is its row in the head: the token's id, or 0 in a merged reranker, whose head has no other. Of a cross-encoder
    it is the logit of its one label.
    """
    if is_cross_encoder(model):
        return label_logits(model, batch)
    return last_hidden(model, batch) @ answer_row(model, yes)


def answer_row(model: PreTrainedModel, yes: Answer) -> torch.Tensor:
    """What a decoder's hidden states [D] are multiplied with for a score, at least float32."""
    weight = (model.get_output_embeddings() or model.score).weight
    return _at_least_32_bits(weight[yes] if isinstance(yes, int) else weight[yes[0]] - weight[yes[1]])


def label_logits(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Logits [N] float32 of the one label of pairs, each in a row that ends as its first text does, with [SEP]."""
    inputs = _padded(model, batch)
    if getattr(model.config, "type_vocab_size", 0) > 1:
        ids_BT, mask_BT = inputs["input_ids"], inputs["attention_mask"]
        ends_BT = (ids_BT == ids_BT.gather(1, mask_BT.sum(1, keepdim=True) - 1)).long()
        behind_BT = (ends_BT.cumsum(1) - ends_BT) > 0  # behind the first [SEP] is the second text
        inputs["token_type_ids"] = (behind_BT & mask_BT.bool()).long()
    return _at_least_32_bits(model(**inputs).logits[:, 0])


def last_hidden(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """The hidden state [N, D] of each row's last token, at least float32."""
    hidden_BTD, rows_N, lasts_N = _hidden(model, batch)
    return _at_least_32_bits(hidden_BTD[rows_N, lasts_N])


def hidden_in_front(model: PreTrainedModel, batch: Batch, counts_N: torch.Tensor) -> torch.Tensor:
    """The hidden states [A, D] from which the last `counts_N` tokens of the batch's rows follow, row after row.

    The rows must not share any of these tokens.
    """
    return last_and_in_front(model, batch, counts_N)[1]


def last_and_in_front(
    model: PreTrainedModel, batch: Batch, counts_N: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What `last_hidden` and `hidden_in_front` give, of one pass."""
    hidden_BTD, rows_N, lasts_N = _hidden(model, batch)
    counts_N = send(counts_N, hidden_BTD.device)
    starts_N = counts_N.cumsum(0) - counts_N
    within_A = torch.arange(int(counts_N.sum()), device=hidden_BTD.device) - starts_N.repeat_interleave(counts_N)
    places_A = (lasts_N - counts_N).repeat_interleave(counts_N) + within_A
    in_front_AD = hidden_BTD[rows_N.repeat_interleave(counts_N), places_A]
    return _at_least_32_bits(hidden_BTD[rows_N, lasts_N]), _scaled(in_front_AD)


def _hidden(model: PreTrainedModel, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Hidden states [B, T, D], and where in them the last token of each of N rows stands: its B and its T."""
    if not takes_forests(model):
        hidden_BTD, mask_BT = _plain(model, batch)
        return hidden_BTD, torch.arange(len(batch), device=hidden_BTD.device), mask_BT.sum(1) - 1
    length = max(map(len, batch))
    length += -length % (BLOCK if is_packed(model) else 1)
    ids_BT, positions_BT = (_pad([getattr(forest, name) for forest in batch], length) for name in ("ids", "positions"))
    ends_BT = _pad([forest.ends for forest in batch], length, length)  # the padding sees itself
    rows_N = np.repeat(np.arange(len(batch)), [len(forest.rows) for forest in batch])
    lasts_N = np.concatenate([forest.lasts for forest in batch])
    device = model.device
    with laid_out(Layout(ends_BT, positions_BT, device)):
        hidden_BTD = model.base_model(
            input_ids=send(ids_BT, device),
            attention_mask=torch.ones(ids_BT.shape, dtype=torch.bool, device=device),  # the layout knows the padding
            position_ids=send(positions_BT, device),
            use_cache=False,
        ).last_hidden_state
    return hidden_BTD, send(rows_N, device), send(lasts_N, device)


def _mean(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    hidden_BTD, mask_BT = _plain(model, batch)
    weights_BT1 = mask_BT.unsqueeze(-1)
    return (_at_least_32_bits(hidden_BTD) * weights_BT1).sum(1) / weights_BT1.sum(1)


def _first(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    return _at_least_32_bits(_plain(model, batch)[0][:, 0])


def _plain(model: PreTrainedModel, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Hidden states [B, T, D] of a batch in which every row lies alone, and which of them are no padding [B, T]."""
    inputs = _padded(model, batch)
    answer = model.base_model(**inputs, use_cache=False)
    return answer.last_hidden_state, inputs["attention_mask"].bool()


def _padded(model: PreTrainedModel, batch: Batch) -> dict[str, torch.Tensor]:
    """What a model is asked [B, T] of a batch in which every row lies alone."""
    lengths_B = torch.tensor([len(forest) for forest in batch])
    mask_BT = send(torch.arange(int(lengths_B.max())) < lengths_B.unsqueeze(1), model.device)
    ids_BT = send(_pad([forest.ids for forest in batch], mask_BT.shape[1]), model.device)
    return {"input_ids": ids_BT, "attention_mask": mask_BT.long()}


def _pad(rows: Sequence[np.ndarray], length: int, filling: int = 0) -> torch.Tensor:
    """[B, T] with the filling behind each row."""
    padded = np.full((len(rows), length), filling, np.int64)
    for row, values in enumerate(rows):
        padded[row, : len(values)] = values
    return torch.from_numpy(padded)


def _at_least_32_bits(tensor: torch.Tensor) -> torch.Tensor:
    return _scaled(tensor.to(torch.promote_types(tensor.dtype, torch.float32)))


def _scaled(tensor: torch.Tensor) -> torch.Tensor:
    """`tensor`, whose gradient will be multiplied where it goes on into the model."""
    scale = _gradient_scale.get()
    if scale != 1.0 and tensor.requires_grad:
        tensor.register_hook(lambda slope: slope * scale)
    return tensor
