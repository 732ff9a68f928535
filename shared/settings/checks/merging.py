"""Refuses settings of merging that no adapter could follow, with the way out."""

from shared.prompts.kinds import ROLES
from shared.settings.sections import Settings


def check_merging(settings: Settings, source: str) -> None:
    """Raise ValueError naming the key of `source` that asks for what nobody could do."""
    for name in ROLES:
        train, merge = getattr(settings, f"train_{name}"), getattr(settings, f"merge_{name}")
        for epoch in (merge.epoch, *merge.epochs):
            if epoch > train.epochs:
                key = "epoch" if epoch == merge.epoch else "epochs"
                raise ValueError(
                    f"{source}: merge_{name}.{key}: {epoch} is never trained; train_{name}.epochs is {train.epochs}"
                )
        if len({merge.epoch, *merge.epochs}) < 1 + len(merge.epochs):
            raise ValueError(
                f"{source}: merge_{name}.epochs: {list(merge.epochs)} and epoch, {merge.epoch}, have an epoch twice"
            )
        if train.lora.dora and (merge.epochs or merge.average or merge.share < 1):
            raise ValueError(
                f"{source}: train_{name}.lora.dora: a DoRA adapter is merged whole and alone; merge_{name} has epochs, "
                "average or share"
            )
