"""Says how many tokens a training on 4 bits computes at once on this machine, and refuses what finds no room."""

from pathlib import Path

from shared.settings.sections import Settings
from training.pipeline.ahead.bases import BYTES, GIB
from training.pipeline.ahead.machine import memory_there
from training.pipeline.ahead.memory import LEAST_TOKENS, training_need
from training.run_folder.bases import form_of


def fitting_tokens(stage: str, settings: Settings) -> str:
    """`8.9 GiB and 0.3 MiB a token: 14,000 tokens fit at once`; "" where nothing lies in 4 bits, or nobody knows.

    Raises ValueError where not even one group fits, or fewer tokens than the setting `micro_tokens`.
    """
    role = stage.removeprefix("train_")
    if stage not in ("train_embedder", "train_reranker") or settings.machine.device != "cuda":
        return ""
    section, train = getattr(settings, role), getattr(settings, stage)
    folder = Path(section.base)
    if section.weights == "full" or not folder.is_dir():
        return ""
    head = role == "reranker" and form_of(folder) == "language model"
    need = training_need(folder, BYTES[section.dtype], section.weights, train.lora, head=head)
    there = memory_there(settings.machine)
    tokens = need.tokens(there * GIB)
    said = f"{need.fixed / GIB:.1f} GiB and {need.token / 2**20:.2f} MiB a token"
    if tokens < LEAST_TOKENS:
        raise ValueError(
            f"{stage}: {section.base} in 4 bits takes {said}, and a GPU has {there:.1f} GiB, room for {tokens} tokens: "
            f"a lower {stage}.lora.rank, a smaller base or a larger GPU"
        )
    if tokens < train.micro_tokens:
        raise ValueError(
            f"{stage}.micro_tokens={train.micro_tokens} do not fit: {section.base} in 4 bits takes {said}, and a GPU "
            f"has {there:.1f} GiB: {stage}.micro_tokens={tokens // 256 * 256}"
        )
    return f"{said} with all layers recomputed: {tokens:,} tokens fit at once"


def merges_on_cpu(stage: str, settings: Settings) -> bool:
    """Whether a stage merges what trained on 4 bits, whose 16 bits then take the CPU's memory."""
    section = getattr(settings, stage.removeprefix("merge_"), None) if stage.startswith("merge_") else None
    return getattr(section, "weights", "full") != "full"
