"""Lets a model folder write through transformers, padded on the left, on a CPU or one GPU: slow, for small models.

A text depends on its prompt and its seed alone, not on what is written beside it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from inference.engines.packing.prefix_forest import Rows
from inference.engines.progress import Meter
from inference.engines.protocols import Generated
from inference.engines.tokenizer import load_tokenizer
from inference.engines.transformers.engine import device_of, load_causal
from inference.machine.profiles import Profile
from shared.prompts.writer import Sampling


class HFWriter:
    """A Writer over a loaded model."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_tokens: int):
        self.model, self.tokenizer, self.batch_tokens = model, tokenizer, batch_tokens

    def generate(self, prompts: Rows, sampling: Sampling, seeds: Sequence[int] = ()) -> list[Generated]:
        assert sampling.greedy or len(seeds) == len(prompts)
        order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
        written: dict[int, Generated] = {}
        with Meter(total=len(prompts), desc="write", unit=" texts") as bar:
            while order:
                # the longest first: that memory is too small shows early
                width = len(prompts[order[-1]]) + sampling.max_tokens
                rows = order[-max(self.batch_tokens // width, 1) :]
                del order[-len(rows) :]
                chosen = [prompts[row] for row in rows]
                written |= zip(rows, self._write(chosen, sampling, [seeds[row] for row in rows if seeds]), strict=True)
                bar.update(len(rows))
        return [written[row] for row in range(len(prompts))]

    @torch.no_grad()
    def _write(self, prompts: Rows, sampling: Sampling, seeds: Sequence[int]) -> list[Generated]:
        longest = max(map(len, prompts))
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        ends = _end_tokens(self.model, self.tokenizer)
        tokens = self.model.generate(
            ids.to(self.model.device),
            attention_mask=mask.to(self.model.device),
            max_new_tokens=sampling.max_tokens,
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,  # not what the folder's generation_config.json says: vLLM does not read it either
            eos_token_id=ends or None,
            pad_token_id=ends[0] if ends else 0,
            stopping_criteria=StoppingCriteriaList([_Stop(self.tokenizer, sampling.stop, longest)]),
            logits_processor=_choosing(sampling, seeds),
        )
        return [self._read(row[longest:].tolist(), ends, sampling) for row in tokens]

    def _read(self, ids: list[int], ends: Sequence[int], sampling: Sampling) -> Generated:
        """What stands in front of the first end token or stop string."""
        end = next((place for place, token in enumerate(ids) if token in ends), None)
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=True)
        stops = [place for stop in sampling.stop if (place := text.find(stop)) >= 0]
        stopped = bool(stops) or end is not None
        tokens = len(ids) if end is None else end + 1
        return Generated(text[: min(stops, default=None)], tokens, "stop" if stopped else "length")


@contextmanager
def open_writer(folder: Path, profile: Profile, longest: int, adapter: Path | None = None) -> Iterator[HFWriter]:
    """The causal model in `folder` on this process's device; the memory is given back at the end."""
    if adapter is not None:
        raise ValueError(f"engine hf writes without an adapter: merge {adapter} into its base, or say engine vllm")
    model = load_causal(folder, profile.dtype, device_of(profile))
    own = getattr(model.config, "max_position_embeddings", longest)
    if longest > own:
        raise ValueError(f"a prompt and its text may have {longest} tokens, {folder} reads {own}: take another writer")
    try:
        yield HFWriter(model, load_tokenizer(folder), profile.batch_tokens)
    finally:
        model.to("meta")


class _Noise(LogitsProcessor):
    """Gumbel noise from a generator for each row: the largest sum is then a draw, and no row moves another's.

    A row gets noise for its own number of tokens, whatever stands beside it.
    """

    def __init__(self, seeds: Sequence[int]):
        self.generators = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        width = scores.shape[1]
        noise = torch.stack([torch.rand(width, generator=one).clamp_min(1e-20) for one in self.generators])
        return scores - torch.log(-torch.log(noise)).to(scores)


class _Stop(StoppingCriteria):
    """Ends a row at a stop string; transformers' own takes a vocabulary apart for that, and fails at some."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str], start: int):
        self.tokenizer, self.stop, self.start = tokenizer, stop, start
        self.looked_at = max((len(one.encode()) for one in stop), default=0)  # a token has a byte at least

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        first = max(self.start, input_ids.shape[1] - self.looked_at)
        ends = [self.tokenizer.decode(row) for row in input_ids[:, first:].tolist()] if self.stop else []
        found = [any(stop in end for stop in self.stop) for end in ends] or [False] * len(input_ids)
        return torch.tensor(found, device=input_ids.device)


def _choosing(sampling: Sampling, seeds: Sequence[int]) -> LogitsProcessorList:
    if sampling.greedy:
        return LogitsProcessorList()
    cut = [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    return LogitsProcessorList([TemperatureLogitsWarper(sampling.temperature), *cut, _Noise(seeds)])


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Those of the model and that of the tokenizer, as vLLM has them."""
    found = model.generation_config.eos_token_id
    ids = [found] if isinstance(found, int) else list(found or ())
    return [*dict.fromkeys([*ids, *([] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id])])]
