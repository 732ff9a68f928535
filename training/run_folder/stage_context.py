"""Says what a stage function gets, and reads and writes its tables."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shared.settings.load import RUNS
from shared.settings.sections import Settings
from shared.task.tables import MISCONCEPTIONS, QUERIES, read_table, write_table


@dataclass(frozen=True)
class StageContext:
    """What a stage function gets: the settings, the run folder, the folder that it fills, and its fingerprint."""

    settings: Settings
    run: Path
    out: Path
    fingerprint: str

    def read(self, stage: str, table: str, schema: dict) -> pl.DataFrame:
        return read_table(self.run / stage / f"{table}.parquet", schema)

    def write(self, frame: pl.DataFrame, table: str, schema: dict) -> None:
        write_table(frame, self.out / f"{table}.parquet", schema)

    def texts(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        return self.read("prepare", "queries", QUERIES), self.read("prepare", "misconceptions", MISCONCEPTIONS)

    def previous(self, stage: str) -> Path:
        return RUNS / self.settings.iteration.previous / self.run.name / stage
