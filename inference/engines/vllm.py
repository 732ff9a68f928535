"""Runs a model folder with vLLM, on a GPU or a CPU, inside this process; what prompts begin with alike is shared.

vLLM is imported where it is first opened: it reads its environment then, and the import takes 5 to 25 s.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from inference.engines.answers import Rows, answered, reach_of
from inference.engines.checks.files import read_config
from inference.engines.checks.vllm_families import check_vllm
from inference.engines.progress import Meter
from inference.engines.vllm_process import machine_options, running, set_environment
from inference.machine.profiles import Profile
from shared.artifacts.sentence_folder import ENCODERS, reads_two_texts
from shared.prompts.embedder import Pooling

# A prompt is taken to add as many to a batch: vLLM's own limit of 256 prompts would leave batches half empty.
LEAST_NEW_TOKENS = 16
MOST_ALONE = 32  # Prompts without an answer that are asked one at a time, each behind an emptied cache: a second or so.
PROGRESS_MIN_PROMPTS = 64  # Fewer need no progress bar.

logger = logging.getLogger(__name__)


class VLLMEncoder:
    """An Encoder over a running engine."""

    def __init__(self, engine: "_Engine"):
        self.engine = engine

    def encode(self, prompts: Rows) -> np.ndarray:
        return self.engine.pool(prompts)


class VLLMScorer:
    """A Scorer over a running engine."""

    def __init__(self, engine: "_Engine"):
        self.engine = engine

    def score(self, prompts: Rows) -> np.ndarray:
        return self.engine.pool(prompts)[:, 0]


@contextmanager
def open_encoder(folder: Path, pooling: Pooling, profile: Profile) -> Iterator[VLLMEncoder]:
    """The embedder in `folder`, causal or bidirectional; the memory is given back at the end."""
    set_environment(profile)
    from vllm.config import PoolerConfig

    # use_activation is the normalization: a folder without sentence-transformers' modules.json has it, others may not
    pooler = PoolerConfig(seq_pooling_type=pooling.upper(), use_activation=True)
    options = {"convert": "embed", "pooler_config": pooler, "enable_prefix_caching": pooling == "last"}
    with _run(folder, profile, "embed", options) as engine:
        yield VLLMEncoder(engine)


@contextmanager
def open_scorer(folder: Path, profile: Profile) -> Iterator[VLLMScorer]:
    """The merged reranker in `folder`, of one label or the row of "Yes"; the memory is given back at the end."""
    set_environment(profile)
    causal = read_config(folder).get("model_type") not in ENCODERS
    with _run(folder, profile, "classify", {"enable_prefix_caching": causal}) as engine:
        yield VLLMScorer(engine)


@contextmanager
def _run(folder: Path, profile: Profile, task: str, options: dict) -> Iterator["_Engine"]:
    """An engine for one task; whoever keeps the object afterwards keeps no weights with it."""
    from transformers import AutoModel, AutoModelForSequenceClassification

    from inference.engines.checks.model import check_model

    if profile.weights != "dummy":  # made-up weights come from no file
        check_model(folder, AutoModel if task == "embed" else AutoModelForSequenceClassification)
    with running(profile, lambda: _Engine(folder, profile, task, options)) as engine:
        yield engine


class _Engine:
    """A running vLLM and the one task that it was started for."""

    def __init__(self, folder: Path, profile: Profile, task: str, options: dict):
        from vllm import LLM

        check_vllm(folder, "retriever" if task == "embed" else "reranker")
        self.task, longest = task, reach_of(folder, profile).most
        self.two_texts = task == "classify" and reads_two_texts(read_config(folder))
        together = max(profile.batch_tokens, longest)  # a mean is not computed in parts
        self.llm = LLM(
            str(folder),
            runner="pooling",
            dtype=profile.dtype,
            max_model_len=longest,
            max_num_batched_tokens=together,
            max_num_seqs=max(together // LEAST_NEW_TOKENS, 1),
            trust_remote_code=False,
            use_tqdm_on_load=False,
            load_format=profile.weights,
            **machine_options(profile),
            **options,
        )

    def pool(self, prompts: Rows) -> np.ndarray:
        """Results [N, D] float32 of N prompts that fit, in their order; D is 1 for logits.

        A NaN stays behind in the blocks of the cache, and spreads to others of its batch too, since 0 x NaN is NaN. So
        those without an answer are asked again behind an emptied cache, as long as some of them find one, and then
        each by itself, unless they are many.
        """
        values = self._ask(prompts)
        bad, left = np.flatnonzero(~answered(values)), len(prompts)
        while 0 < len(bad) < left:
            left = len(bad)
            bad = self._ask_again(prompts, bad, values)
        for row in bad if 1 < len(bad) <= MOST_ALONE else []:
            self._ask_again(prompts, np.array([row]), values)
        if len(bad):
            self._empty_cache()
        return values

    def _ask_again(self, prompts: Rows, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Ask some of the prompts behind an emptied cache, and fill in what they say; the rows still without."""
        self._empty_cache()
        again = self._ask([prompts[row] for row in rows])
        found = answered(again)
        values[rows[found]] = again[found]
        return rows[~found]

    def _empty_cache(self) -> None:
        self.llm.reset_prefix_cache()
        self.llm.collective_rpc(_zero_cache)

    def _params(self, kind: type, prompt: Sequence[int]):  # of two texts the second begins behind the first [SEP]
        types = {"compressed_token_type_ids": prompt.index(prompt[-1]) + 1} if self.two_texts else None
        return kind(use_activation=self.task == "embed", extra_kwargs=types)

    def _ask(self, prompts: Rows) -> np.ndarray:
        from vllm import PoolingParams

        if not prompts:
            return np.zeros((0, self.llm.model_config.get_hidden_size() if self.task == "embed" else 1), np.float32)
        # Prompts that begin alike lie beside each other: vLLM lists a block as soon as its prompt is scheduled, so
        # even those of one step share it, and nothing is evicted before its siblings are through.
        order = sorted(range(len(prompts)), key=prompts.__getitem__)
        outputs = self.llm.encode(
            [{"prompt_token_ids": list(prompts[row])} for row in order],
            [self._params(PoolingParams, prompts[row]) for row in order],
            pooling_task=self.task,
            use_tqdm=_meter if len(prompts) >= PROGRESS_MIN_PROMPTS else False,
        )
        shared, total = sum(output.num_cached_tokens for output in outputs), sum(map(len, prompts))
        logger.info("%d prompts of %d tokens, %d of them shared", len(prompts), total, shared)
        answers = np.stack([output.outputs.data.float().numpy() for output in outputs]).reshape(len(prompts), -1)
        return answers[np.argsort(order)]


def _zero_cache(worker) -> None:
    """What every process of an engine does to its part of the cache."""
    for tensor in worker.model_runner.kv_caches:
        tensor.zero_()


def _meter(*, total: int, **_: object) -> Meter:
    """What vLLM shows its progress with: our bar, in our words."""
    return Meter(total=total, desc="encode/score", unit=" prompts")
