"""Refuses what cannot be done with a base in 4 bits, by the setting that asks for it."""

from pathlib import Path

from shared.prompts.kinds import ROLES
from shared.settings.sections import Embedder, Reranker, Settings


def check_low_bit(settings: Settings) -> None:
    """Raise ValueError where other settings do not go with weights in 4 bits."""
    if settings.miner is not None and settings.miner.weights == "nf4":
        raise ValueError(
            "miner.weights=nf4: a model that is not trained is loaded as machine.profile says: leave it out"
        )
    for name in ROLES:
        section, train = getattr(settings, name), getattr(settings, f"train_{name}")
        said = f"{name}.weights={section.weights} holds the base in 4 bits"
        if section.weights == "full":
            continue
        if settings.machine.shard:
            raise ValueError(f"{said}, and machine.shard spreads one of 16 bits: take one of the two")
        if train.fp8:
            raise ValueError(f"{said}, and train_{name}.fp8 in 8: take one of the two")
        if train.lora.dora:
            raise ValueError(
                f"{said}, of which DoRA would need all sizes anew at every step: train_{name}.lora.dora=false"
            )


def check_form(name: str, section: Embedder | Reranker, folder: Path, config) -> None:
    """Raise ValueError where `weights` does not say how the base in `folder` lies."""
    from inference.engines.checks.quantised import hosted_format
    from inference.engines.transformers.families import SHARES_PREFIXES

    hosted = hosted_format(folder, config)
    if hosted and section.weights != "packed":
        raise ValueError(
            f"{folder} is quantised ({hosted.method}): {name}.weights=packed takes it as it is, or take the 16-bit one"
        )
    if section.weights == "packed" and not hosted:
        raise ValueError(f"{folder} is not quantised: {name}.weights=nf4 rounds it to 4 bits while it loads")
    if section.weights != "full" and config.model_type not in SHARES_PREFIXES:
        raise ValueError(f"{folder} is a {config.model_type}, and only decoders lie in 4 bits: {name}.weights=full")
