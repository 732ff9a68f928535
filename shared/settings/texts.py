"""Holds the settings of what a language model writes about the queries and the misconceptions, and of who writes."""

from typing import Annotated, Literal

from pydantic import Field

from shared.settings.models import Lora
from shared.settings.section import Count, Positive, Precision, Section, Share

Source = Literal["off", "replay", "vllm", "hf"]
WRITING_ENGINES = ("vllm", "hf")  # the sources that run the model of [writer]


class Writer(Section):
    """The language model that writes rationales and descriptions, where `explain.writer` or `describe.writer` says so.
    What it wrote is kept in `runs/texts`, so that nothing is written twice, by any run."""

    base: str
    """A Hugging Face id, with an optional `@COMMIT`, or a folder of a decoder, plain or quantised (vLLM alone reads a
    quantised one)."""
    dtype: Precision = "bfloat16"
    """The precision that the base model is loaded in while a writer is trained."""
    seed: str = "writer"
    """The seed of what is drawn: the second attempts at texts of which nothing could be used."""


class Explain(Section):
    """What is written about the thinking behind every wrong answer: the rationales."""

    writer: Source = "off"
    """Who writes: the model of `[writer]` through vLLM (`vllm`) or transformers (`hf`, slow, for small models), or
    nobody anew (`replay`): texts that were written earlier are taken from a file. `off` means that there are none."""
    kinds: Literal["short", "cot", "both"] = "both"
    """What is written: one or two sentences (`short`), a chain of thought (`cot`), or both."""
    file: str = "rationales.csv"
    """The file in the competition's folder that `replay` reads: QuestionId_Answer, Rationale, Reasoning."""

    shots: Annotated[int, Field(ge=0, le=16)] = 0
    """How many solved examples a writer is shown in front of a row: training rows with the texts of `shots_file`, the
    same for all rows, but for those of an example's own question or of one near it."""
    shots_file: str = ""
    """The file in the competition's folder with texts about labelled training rows, which may have been written by
    somebody who saw the labels: QuestionId_Answer, Rationale, Reasoning."""


class Describe(Section):
    """What is written about every misconception, from its name."""

    writer: Source = "off"
    """Who writes, as for `explain`."""
    file: str = "explanations.csv"
    """The file in the competition's folder that `replay` reads: MisconceptionId, Explanation."""


class TrainWriter(Section):
    """How a writer learns from the texts of a larger one, its teacher, which may have seen labels. There are several
    students: each leaves a part of the training rows out and writes about that part alone; one more learns from all of
    them and writes about everything else."""

    file: str = ""
    """The file in the competition's folder with the teacher's texts: QuestionId_Answer, Rationale, Reasoning. The empty
    text means that no writer is trained."""
    parts: Annotated[int, Field(ge=2)] = 2
    """Parts of the training rows, by question. More of them leave a student more to learn from, and cost a training
    each."""
    lora: Lora = Lora(rank=64, alpha=128)
    """The adapter. Its head is left alone: vLLM loads no adapter that brings whole modules along."""
    epochs: Count = 2
    """How often training goes through all lessons. An adapter is kept for every epoch, and the last one writes."""
    batch: Count = 32
    """Lessons of one update, over all processes."""
    rate: Positive = 1e-4
    """The peak learning rate, which then falls linearly to 0."""
    warmup: Share = 0.05
    """The share of the updates in which the learning rate rises to its peak."""
    weight_decay: Share = 0.01
    """AdamW's weight decay."""
    clip: Positive = 1.0
    """The largest norm of an update's gradient."""
    micro_tokens: Count = 8192
    """Tokens that are computed together."""
    recompute: Literal["measured", "all", "none"] = "measured"
    """Which layers compute their activations again in the backward pass, as in the other trainings."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 300.0
    """Seconds between two checkpoints, from which a killed training goes on."""
    seed: str = "writer"
    """The seed of the parts, of the order of lessons, of the new adapter, and of dropout."""
