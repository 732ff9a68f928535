"""Says what a stage function gets, and reads and writes its tables."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shared.settings.load import RUNS
from shared.settings.sections import Settings
from shared.task.tables import MISCONCEPTIONS, QUERIES, Table


@dataclass(frozen=True)
class StageContext:
    """What a stage function gets: the settings, the run folder, the folder that it fills, and its fingerprint."""

    settings: Settings
    run: Path
    out: Path
    fingerprint: str

    def read(self, table: Table, stage: str) -> pl.DataFrame:
        return table.read(self.run / stage)

    def write(self, frame: pl.DataFrame, table: Table) -> None:
        table.write(frame, self.out)

    def texts(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        return self.read(QUERIES, "prepare"), self.read(MISCONCEPTIONS, "prepare")

    def previous(self, stage: str) -> Path:
        return RUNS / self.settings.iteration.previous / self.run.name / stage
