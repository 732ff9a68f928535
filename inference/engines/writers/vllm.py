"""Lets a model folder, with or without an adapter, write through vLLM, on a GPU or a CPU, inside this process."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from inference.engines.checks.files import read_architecture, read_config
from inference.engines.packing.prefix_forest import Rows
from inference.engines.protocols import Generated
from inference.engines.vllm_process import machine_options, running, set_environment
from inference.engines.writers.check import RANKS, adapter_rank
from inference.machine.profiles import Profile
from shared.prompts.writer import Sampling

MOST_TOGETHER = 256  # texts in work at once; where the cache holds fewer, vLLM lets the others wait
# A text keeps its logits in 32 bits, some of them several times: 256 of 152,064 are 0.6 GB, and a T4 has none to spare.
TOKENS_OF_ONE = 64  # of the profile's batch_tokens; a T4's 4,096 are 64 texts, which its cache holds at 14B in 4 bits

logger = logging.getLogger(__name__)


class VLLMWriter:
    """A Writer over a running engine."""

    def __init__(self, engine: "_Engine"):
        self.engine = engine

    def generate(self, prompts: Rows, sampling: Sampling, seeds: Sequence[int] = ()) -> list[Generated]:
        return self.engine.write(prompts, sampling, seeds)


@contextmanager
def open_writer(folder: Path, profile: Profile, longest: int, adapter: Path | None = None) -> Iterator[VLLMWriter]:
    """The causal model in `folder`, plain or quantised; a prompt and its text have `longest` tokens at most."""
    rank = adapter_rank(adapter) if adapter else 0
    set_environment(profile)
    if profile.weights != "dummy" and read_architecture(folder).endswith("ForCausalLM"):
        from transformers import AutoModelForCausalLM

        from inference.engines.checks.model import check_model

        check_model(folder, AutoModelForCausalLM)
    with running(profile, partial(_Engine, folder, profile, longest, adapter, rank)) as engine:
        yield VLLMWriter(engine)


class _Engine:
    """A running vLLM that generates."""

    def __init__(self, folder: Path, profile: Profile, longest: int, adapter: Path | None, rank: int):
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        own = read_config(folder).get("max_position_embeddings", longest)
        self.most = min(longest, own)
        self.why = f"the model's limit is {own}, the writer was opened for {longest}"
        self.adapter = LoRARequest("adapter", 1, str(adapter.resolve())) if adapter else None
        least = next((size for size in RANKS if size >= rank), rank)
        self.llm = LLM(
            str(folder),
            dtype=profile.dtype,
            max_model_len=self.most,
            max_num_batched_tokens=max(profile.batch_tokens, self.most),
            max_num_seqs=min(MOST_TOGETHER, max(profile.batch_tokens // TOKENS_OF_ONE, 1)),
            enable_prefix_caching=True,
            trust_remote_code=False,
            use_tqdm_on_load=False,
            load_format=profile.weights,
            **machine_options(profile),
            **({"enable_lora": True, "max_lora_rank": least, "max_loras": 1} if adapter else {}),
        )

    def write(self, prompts: Rows, sampling: Sampling, seeds: Sequence[int]) -> list[Generated]:
        self._check_lengths(prompts, sampling)
        assert sampling.greedy or len(seeds) == len(prompts)
        if not prompts:
            return []
        # Prompts that begin alike come one behind the other, so that what they share is still in the cache.
        order = sorted(range(len(prompts)), key=prompts.__getitem__)
        outputs = self.llm.generate(
            [{"prompt_token_ids": list(prompts[row])} for row in order],
            [_parameters(sampling, seeds[row] if seeds else None) for row in order],
            lora_request=self.adapter,
            use_tqdm=False,  # its bar divides by the seconds of a bar that is shown; whoever asks for slices shows ours
        )
        shared, total = sum(output.num_cached_tokens or 0 for output in outputs), sum(map(len, prompts))
        logger.info("%d prompts of %d tokens, %d of them shared", len(prompts), total, shared)
        answers = [output.outputs[0] for output in outputs]
        written = [Generated(answer.text, len(answer.token_ids), answer.finish_reason) for answer in answers]
        return [text for _, text in sorted(zip(order, written, strict=True), key=lambda pair: pair[0])]

    def _check_lengths(self, prompts: Rows, sampling: Sampling) -> None:
        for number, prompt in enumerate(prompts):
            if len(prompt) + sampling.max_tokens > self.most:
                raise ValueError(
                    f"prompt {number} of {len(prompts)} has {len(prompt)} tokens and may get {sampling.max_tokens} "
                    f"more, {self.most} fit ({self.why}): cut its text shorter, or take a model that reads more"
                )


def _parameters(sampling: Sampling, seed: int | None):
    from vllm import SamplingParams

    chosen = {} if sampling.greedy else {"top_p": sampling.top_p, "seed": seed}
    return SamplingParams(
        temperature=0.0 if sampling.greedy else sampling.temperature,
        max_tokens=sampling.max_tokens,  # vLLM's default is 16
        stop=list(sampling.stop),
        **chosen,
    )
