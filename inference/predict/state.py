"""Holds what stays the same while a submission is made, and says how things stand: the order, the files, the log."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from inference.engines.serving import Serving
from inference.fusion.blend import blend_scores
from inference.fusion.calibration import Calibration, apply
from inference.fusion.cascade import rank_in_cascade
from inference.fusion.ensemble import Models
from inference.predict.anytime import Limit, RerankingProgress
from inference.predict.chunk_store import ChunkStore
from inference.predict.losses import Losses, count, lost_by_reranker, read_losses
from inference.predict.writing.in_time import WritingProgress, describe_writing
from shared.artifacts.files import write_log
from shared.task.tables import PAIR


@dataclass
class Prediction:
    """What a submission is made from, the same from the first row to the last, and how far each model came."""

    models: Models
    calibration: Calibration
    misconceptions: pl.DataFrame
    store: ChunkStore
    serving: Serving
    limit: Limit
    vectors: Path | None = None
    written: WritingProgress = field(default_factory=WritingProgress)  # how far the writer came, where there is one
    found: list[str] = field(default_factory=list)  # how each embedder ended
    scored: list[RerankingProgress] = field(default_factory=list)  # how far each reranker came

    @property
    def wanted(self) -> int:
        """Candidates of a query that are reranked."""
        most = min(self.calibration.retrieved, len(self.misconceptions))
        return min(self.calibration.depth + self.calibration.extra, most)

    def wanted_of(self, number: int) -> int:
        """Candidates of a query that a reranker reads at most: in a cascade the later ones read fewer."""
        return min(self.models.rerankers[number].depth or self.wanted, self.wanted)

    def rank(self, chunk: int) -> pl.DataFrame:
        """The best order of a chunk's rows that is known by now."""
        return self.rank_with(chunk, len(self.models.rerankers))

    def scored_by(self, chunk: int, rerankers: int) -> dict[int, pl.DataFrame]:
        """What each of the first so many rerankers scored of a chunk, by its number, where it has begun."""
        there = [number for number in range(rerankers) if self.store.has(f"scored{number}", chunk)]
        return {number: self.store.read(f"scored{number}", chunk) for number in there}

    def rank_with(self, chunk: int, rerankers: int) -> pl.DataFrame:
        """The order of a chunk's rows by the first so many rerankers."""
        candidates = self.store.read("candidates", chunk)
        scored = candidates.select(*PAIR, pl.lit(None, pl.Float32).alias("rerank_score")).clear()
        read = self.scored_by(chunk, rerankers)
        tables, weights = [*read.values()], [self.models.rerankers[number].weight for number in read]
        if tables and self.models.is_cascade:
            return rank_in_cascade(candidates, tables, weights, self.models.average, self.calibration)
        if tables:
            scored = blend_scores(tables, weights, self.models.average)
        return apply(candidates, scored, self.calibration)

    def publish(self, final: bool, scored: Sequence[RerankingProgress] = ()) -> float:
        """Write submission.csv and budget.json as things stand; returns the seconds that it takes."""
        self.scored[:] = scored
        self.report("running")
        return self.store.publish(self.rank, final)

    def report(self, process: str, final: bool = False) -> dict:
        """Write budget.json and return what it says; rows that a failed model never came to are named if `final`."""
        embedders = [
            self._with_losses({"model": member.folder.name, "ended": ended}, read_losses(self.store, f"found{number}"))
            | {
                "misconceptions_lost": [
                    int(id_) for ids in read_losses(self.store, f"known{number}").values() for id_ in ids
                ]
            }
            for number, (member, ended) in enumerate(zip(self.models.embedders, self.found, strict=False))
        ]
        rerankers = [
            self._with_losses(
                describe_progress(member.folder.name, state),
                lost_by_reranker(self.store, number, state, self.wanted_of(number), final),
            )
            for number, (member, state) in enumerate(zip(self.models.rerankers, self.scored, strict=False))
        ]
        writers = [describe_writing(writer.folder.name, self.written)] if (writer := self.models.writer) else []
        left = self.limit.left()
        content = {
            "process": process,
            "seconds_left": None if math.isinf(left) else round(left, 1),
            "rows": sum(self.store.sizes),
            "wanted": self.wanted,
            **({"writer": writers[0]} if writers else {}),
            "embedders": embedders,
            "rerankers": rerankers,
            "failed": [part["model"] for part in [*writers, *embedders, *rerankers] if part["ended"] == "failed"],
        }
        # it is written with every shard, and a loss of power ends what it tells of
        write_log(self.store.out.with_name("budget.json"), content, durable=False)
        return content

    def _with_losses(self, entry: dict, losses: Losses) -> dict:
        """`entry` of a model, with the rows that it has no answer for; of all of them, and it has failed."""
        lost, ended = count(losses), entry["ended"]
        if lost and lost == sum(self.store.sizes):
            ended = "failed"
        return {**entry, "ended": ended, "rows_lost": lost, "lost": losses}


def describe_progress(name: str, state: RerankingProgress) -> dict:
    """What a log says of a reranker."""
    depths, rows = np.unique(state.done, return_counts=True)  # 1 ms for a million rows
    return {
        "model": name,
        "ended": state.ended,
        "rows_by_depth": {str(depth): count for depth, count in zip(depths.tolist(), rows.tolist(), strict=True)},
        "shards": len(state.shards),
        "seconds_to_open": round(state.start, 1),
        "seconds_of_shards": round(sum(shard.seconds for shard in state.shards), 1),
        "plans": [{"rows": rows, "depths": depths} for rows, depths in state.plans],
    }


def size_of(folder: Path) -> float:
    """Bytes of a model's weights: how slow it is beside another."""
    return 1.0 + sum(path.stat().st_size for path in folder.glob("*.safetensors"))
