"""Says how many tokens a training on 4 bits computes at once on this machine, and refuses what finds no room."""

from dataclasses import replace
from typing import NamedTuple

from shared.settings.sections import Settings, Weights
from training.pipeline.ahead.bases import BYTES, GIB
from training.pipeline.ahead.machine import memory_there
from training.pipeline.ahead.memory import LEAST_TOKENS, Need, training_need
from training.pipeline.ahead.shapes import Shape, shape_of

TRAININGS = ("train_embedder", "train_reranker")  # whose memory is computed
LIES = {"full": "in 16 bits or more", "nf4": "in 4 bits", "packed": "in 4 bits"}


class Fault(NamedTuple):
    """Why something does not fit, and what to do instead."""

    why: str
    way_out: str

    @property
    def sentence(self) -> str:
        return f"{self.why}: {self.way_out}"


def fitting_tokens(stage: str, settings: Settings) -> str:
    """`8.9 GiB and 0.3 MiB a token: 14,000 tokens fit at once`; "" where nothing lies in 4 bits, or nobody knows.

    Raises ValueError where not even one group fits, or fewer tokens than the setting `micro_tokens`.
    """
    if stage not in TRAININGS or settings.machine.device != "cuda":
        return ""
    section = getattr(settings, stage.removeprefix("train_"))
    shape = None if section.weights == "full" else shape_of(section.base)
    if shape is None or shape.unlike:
        return ""
    need, there = need_of(stage, settings, shape), memory_there(settings.machine)
    if fault := fault_of(stage, settings, need, there):
        raise ValueError(fault.sentence)
    layers = "no layer" if getattr(settings, stage).recompute == "none" else "all layers"
    return f"{said_of(need)} with {layers} recomputed: {need.tokens(there * GIB):,} tokens fit at once"


def need_of(stage: str, settings: Settings, shape: Shape, weights: Weights | None = None) -> Need:
    """What a training takes with its base as the settings have it, or with `weights` instead.

    A token takes what it does where as many layers as may compute again: none where `recompute` says so.
    """
    section, train = getattr(settings, stage.removeprefix("train_")), getattr(settings, stage)
    head = stage == "train_reranker"
    need = training_need(shape, BYTES[section.dtype], weights or section.weights, train.lora, head=head)
    return replace(need, token=need.kept) if train.recompute == "none" else need


def fault_of(stage: str, settings: Settings, need: Need, there: float) -> Fault | None:
    """Why a training finds no room in `there` GiB, and the way out; None where it does."""
    section, train = getattr(settings, stage.removeprefix("train_")), getattr(settings, stage)
    tokens, base = need.tokens(there * GIB), f"{section.base} {LIES[section.weights]} takes {said_of(need)}"
    if tokens < LEAST_TOKENS:
        why = f"{stage}: {base}, and a GPU has {there:.1f} GiB, room for {tokens} tokens"
        return Fault(why, f"a lower {stage}.lora.rank, a smaller base or a larger GPU")
    if tokens < train.micro_tokens:
        why = f"{stage}.micro_tokens={train.micro_tokens} do not fit: {base}, and a GPU has {there:.1f} GiB"
        return Fault(why, f"{stage}.micro_tokens={tokens // 256 * 256}")
    return None


def said_of(need: Need) -> str:
    """`8.9 GiB and 0.30 MiB a token`"""
    return f"{need.fixed / GIB:.1f} GiB and {need.token / 2**20:.2f} MiB a token"


def merges_on_cpu(stage: str, settings: Settings) -> bool:
    """Whether a stage merges what trained on 4 bits, whose 16 bits then take the CPU's memory."""
    section = getattr(settings, stage.removeprefix("merge_"), None) if stage.startswith("merge_") else None
    return getattr(section, "weights", "full") != "full"
