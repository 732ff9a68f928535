"""Evaluates a finished run once more, with the rationales of some validation rows left out, as if a writer ran short.

    python -m benchmarks.quality.blanked RUN SHARE OUT.parquet

OUT gets the table RANKS.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from shared.settings.load import read_settings
from shared.task.current import TASK, use
from shared.task.folds import seed_of
from shared.task.tables import TEXTS
from training.evaluation.evaluate import evaluate
from training.run_folder.stage_context import StageContext


@dataclasses.dataclass(frozen=True)
class Blanked(StageContext):
    """A context in whose table TEXTS a share of the rationales is empty."""

    share: float = 0.0

    def read(self, table, stage: str) -> pl.DataFrame:
        found = super().read(table, stage)
        if table is not TEXTS or stage != "explain":
            return found
        lost = [key for key in found["key"].unique().sort() if _draw(key) < self.share]
        return found.filter(~pl.col("key").is_in(lost))


def _draw(key: str) -> float:
    return float(np.random.default_rng(seed_of("blanked", key)).random())


def main(run: Path, share: float, out: Path) -> None:
    """Write RANKS of the run's two models, a `share` of the rationales being blank."""
    settings = read_settings(run)
    use(settings.task)
    with tempfile.TemporaryDirectory() as work:
        ranks = evaluate(Blanked(settings, run, Path(work), "", share)).ranks
    ranks.select(*TASK.tables.ranks.schema).write_parquet(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
