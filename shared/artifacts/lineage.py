"""Says what made a folder and from what: the lineage in its manifest, as attributes."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.artifacts.manifest import MANIFEST, read_manifest


class Lineage(BaseModel):
    """What is known of a folder's making; None is what its maker did not say. Digests are SHA-256 in hex.

    Fields that this version does not know are kept: a manifest of another version is read, and written back, whole.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    stage: str | None = None
    task: str | None = None  # that it was made for, where that is not eedi
    iteration: str | None = None
    split: str | None = None
    fingerprint: str | None = None  # of the stage's settings and inputs: the same one, the same output
    seconds: float | None = None
    commit: str | None = None  # of the code that ran; "" without git
    dirty: bool | None = None  # whether the code differed from that commit
    code: str | None = None  # digest of the code
    inputs: dict[str, str] | None = None  # {folder that was read: its digest then}
    shared_with: str | None = None  # the output of another run, with the same fingerprint, that this one is a link to
    settings: dict[str, Any] | None = None  # {section: its values}, of the sections that the stage reads
    # of what was trained or merged
    base: str | None = None  # name of the base model's folder
    base_sha256: str | None = None
    adapter: str | None = None  # "train_reranker/epoch_3"
    adapter_sha256: str | None = None
    averaged: dict[str, str] | None = None  # {adapter of another split or epoch that was averaged in: its digest}
    all_settings: dict[str, Any] | None = None
    # of what was quantised
    scheme: str | None = None
    measured: dict[str, str] | None = None  # {split that measured the loss on held-out data: its fingerprint}
    # of a calibration
    splits: dict[str, str] | None = None  # {draw that it was chosen on: digest of its evaluation}

    def record(self) -> dict[str, Any]:
        """What a manifest holds of it: the fields that were said, in the order above."""
        return self.model_dump(exclude_unset=True)


def read_lineage(folder: Path, *needed: str) -> Lineage:
    """The lineage of `folder`. Raises ValueError where its manifest is absent, malformed, or lacks what is `needed`."""
    path, said = folder / MANIFEST, read_manifest(folder)["lineage"]
    try:
        lineage = Lineage.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path}: lineage.{place}: {first['msg']}; run again what makes the folder") from None
    for name in needed:
        if getattr(lineage, name) is None:
            raise ValueError(f"{path} does not say the {name} of its making: run again what makes the folder")
    return lineage
