"""Puts the descriptions that came with a model beside the misconceptions of a task, for prediction."""

from pathlib import Path

import polars as pl

from shared.task.tables import DESCRIPTIONS
from shared.task.texts import with_descriptions


def described(misconceptions: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """`misconceptions` as the model in `folder` reads them; those without a description there do without."""
    if not DESCRIPTIONS.path(folder).is_file():
        return misconceptions
    return with_descriptions(misconceptions, DESCRIPTIONS.read(folder))
