"""Holds the settings of evaluating and quantising the merged models."""

from typing import Annotated

from pydantic import Field

from shared.settings.section import Count, Engine, Scheme, Section, Share
from shared.task.splits import UNSEEN


class Evaluate(Section):
    """How the merged models are measured on the validation fold."""

    engine: Engine = "vllm"
    """The engine that encodes and scores: vLLM, or `hf`, our own on top of transformers."""
    pool: Count = 200
    """Candidates of a query that are kept, from the whole catalogue, so that `calibrate` can choose how many to
    rerank."""
    depth: Count = 25
    """Candidates of a query that are reranked."""
    extra: Annotated[int, Field(ge=0)] = 10
    """Never-labelled misconceptions behind those candidates that are scored as well, for `./just calibrate`."""
    unseen_weight: Share | None = UNSEEN
    """The weight of the unseen pairs in the headline figure, as many as the hidden test is thought to have. The seen
    pairs get the rest. A task may have none: then all pairs count alike."""
    bootstrap: Count = 1000
    """Resamples of the questions behind each interval."""
    hidden: bool = False
    """Whether both models also answer each question that has several labelled wrong answers with the wrong answer
    hidden, which says how much they read of it. It costs about a third of the evaluation again."""


class Quantize(Section):
    """How a merged model is written in 4 or 8 bits."""

    scheme: Scheme = "awq"
    """`awq` and `gptq` store 4 bits in groups, for T4 and L4; `fp8` stores 8-bit floats, for GPUs from L4 on."""
    group: Count = 128
    """Weights that share a 16-bit scale, an eighth of a bit for each. It has to divide the model's widths."""
    samples: Count = 256
    """Prompts of the training fold that the scheme is calibrated on. Few suffice, since our prompts are all alike."""
    tensor_parallel: Count = 1
    """GPUs that the model can be split over. Qwen2.5-72B's width of 29,568 is padded to 29,696 for two."""
    most_lost: Annotated[float, Field(ge=0)] = 0.01
    """The largest loss of weighted MAP@25, on the same queries, that is accepted."""
    seed: str = "quantize"
    """The seed of the draw of prompts."""
