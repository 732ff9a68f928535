"""Says what a stage function gets, and reads and writes its tables."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shared.settings.load import RUNS
from shared.settings.sections import Settings
from shared.task.current import TASK
from shared.task.tables import TEXTS, Table
from shared.task.texts import descriptions_of, with_descriptions, with_rationales


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

    def queries(self) -> pl.DataFrame:
        return self.read(TASK.tables.queries, "prepare")

    def misconceptions(self) -> pl.DataFrame:
        return self.read(TASK.tables.misconceptions, "prepare")

    def texts(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Queries and misconceptions, with what was written about them in further columns."""
        queries, misconceptions = self.queries(), self.misconceptions()
        if self.settings.explain.writer != "off":
            queries = with_rationales(queries, self.read(TEXTS, "explain"))
        if (descriptions := self.descriptions()) is not None:
            misconceptions = with_descriptions(misconceptions, descriptions)
        return queries, misconceptions

    def descriptions(self) -> pl.DataFrame | None:
        """The table DESCRIPTIONS, where the misconceptions are described."""
        written = self.settings.describe.writer != "off"
        return descriptions_of(self.read(TEXTS, "describe")) if written else None

    def previous(self, stage: str) -> Path:
        return RUNS / self.settings.iteration.previous / self.run.name / stage
