"""Says where the students of a teacher lie in the folder of train_writer, and which of them writes about which rows."""

import re
from pathlib import Path

from shared.settings.texts import TrainWriter

WHOLE = "whole"  # the student that learns from all training rows


def student_of(part: int | None) -> str:
    """The folder of the student that writes about a part of the training rows, or about all other rows (None)."""
    return WHOLE if part is None else f"part_{part}"


def is_student(model: str) -> bool:
    """Whether the name of a text's model ends with a student's, behind the base's."""
    _, slash, name = model.rpartition("/")
    return bool(slash) and re.fullmatch(rf"{WHOLE}|part_\d+", name) is not None


def adapter_of(trained: Path, student: str, section: TrainWriter) -> Path:
    """Where the adapter of a student lies that writes: the last epoch's."""
    return trained / student / f"epoch_{section.epochs}"
