"""Trains on a finished run's groups, ours and with a peer's own trainer, over several seeds; evaluates both alike.

    python -m benchmarks.quality reranker|embedder RUN [--seeds 3] [--first 0] [--out FILE.json]
        [--also "section.key=value ..."] [--only ours|peer]

RUN is a folder like runs/small0/cv, of an iteration without a teacher. The reranker's peer is FlagEmbedding's trainer,
the embedder's is sentence-transformers'. Same base, groups, epochs, batch, rate and LoRA; the last epoch is evaluated
on the validation fold, the reranker on the run's own candidates. --also trains ours once more with other settings, as
often as it is given; --only leaves the other side out. FILE holds figures only, no text.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.harness.bench import device_name, installed, versions
from benchmarks.quality import embedder, reranker
from inference.engines.distributed import joined_ranks
from shared.settings.load import override_settings, read_settings
from shared.settings.sections import Settings
from shared.task.current import TASK
from shared.task.folds import labelled_queries, seen_ids
from shared.task.metrics import find_ranks, summarise
from shared.task.tables import CANDIDATES, MISCONCEPTIONS, QUERIES
from training.run_folder.stage_context import StageContext

Side = Callable[
    [StageContext, StageContext, int], tuple[pl.DataFrame, float]
]  # It gives ranked candidates, seconds of training.
SIDES: dict[str, dict[str, Side]] = {
    "reranker": {"ours": reranker.ours, "FlagEmbedding": reranker.flagembedding},
    "embedder": {"ours": embedder.ours, "sentence-transformers": embedder.sentence_transformers},
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains ours and the peer's on the same groups, over several seeds.")
    parser.add_argument("model", choices=SIDES)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number of the first seed: several processes share them")
    parser.add_argument("--out", type=Path, default=Path("quality.json"))
    parser.add_argument("--also", action="append", default=[], help="settings of one more training of ours")
    parser.add_argument("--only", choices=("ours", "peer"), help="leave the other side out")
    chosen = parser.parse_args()
    settings = read_settings(chosen.run)
    if settings.iteration.previous:
        raise SystemExit(f"{chosen.run} was taught by {settings.iteration.previous}, and no peer here can be: take it")
    with joined_ranks(settings.machine.device) as device:
        context = StageContext(settings, chosen.run, Path(), "")
        sides = sides_of(context, chosen.model, chosen.also, chosen.only)
        compare(context, chosen.model, sides, range(chosen.first, chosen.first + chosen.seeds), chosen.out, device)


def sides_of(context: StageContext, model: str, also: Sequence[str], only: str | None = None) -> dict[str, Side]:
    """Ours, ours with each of the other settings, and the peer where it is installed; or `only` ours or the peer."""
    [mine, (peer, theirs)] = SIDES[model].items()
    if only == "peer":
        return {peer: theirs}
    sides = dict([mine])
    for changes in also:
        settings = override_settings(context.settings, changes.split())
        sides[f"ours, {changes}"] = partial(_with, settings, mine[1])
    return sides if only == "ours" or not installed(peer, "datasets") else {**sides, peer: theirs}


def _with(
    settings: Settings, side: Side, context: StageContext, blind: StageContext, seed: int
) -> tuple[pl.DataFrame, float]:
    return side(replace(context, settings=settings), blind, seed)


def compare(
    context: StageContext, model: str, sides: dict[str, Side], seeds: Sequence[int], out: Path, device: torch.device
) -> dict:
    """Train and evaluate every side with every seed, in turns; `out` is written after each."""
    before = _figures(context, context.read(CANDIDATES, f"mine_for_{model}"))
    found = {"model": model, "run": str(context.run), "device": device_name(device), "versions": versions()}
    found |= {"before": before, "sides": {}}
    for seed in seeds:
        for side, run in sides.items():
            with _folder_without_validation(context) as blind:
                ranked, seconds = run(context, blind, seed)
            figures = _figures(context, ranked)
            found["sides"].setdefault(side, []).append({"seed": seed, "seconds": seconds, **figures})
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(f"{model}  seed {seed}  {side}: {_line(figures)}, trained in {seconds:.1f} s", flush=True)
    _print(found)
    return found


@contextmanager
def _folder_without_validation(context: StageContext) -> Iterator[StageContext]:
    """A run folder, soon deleted, that holds the training fold alone: nothing is evaluated while the clock runs."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        queries, misconceptions = context.texts()
        QUERIES.write(queries.filter(pl.col("fold") == "train"), run / "prepare")
        MISCONCEPTIONS.write(misconceptions, run / "prepare")
        yield replace(context, run=run, out=run / "trained")


def _figures(context: StageContext, ranked: pl.DataFrame) -> dict:
    queries, _ = context.texts()
    valid = labelled_queries(queries, "valid")
    return summarise(find_ranks(valid, ranked), seen_ids(queries))


def _line(figures: dict) -> str:
    return f"{TASK.metric.title} " + " ".join(
        f"{part} {value[TASK.metric.key]:.4f} ({value['low']:.4f}-{value['high']:.4f})"
        for part, value in figures.items()
    )


def _print(found: dict) -> None:
    table = Table("side", "seeds", title=f"{found['model']}, {found['run']}, {found['device']}: {TASK.metric.title}")
    parts = list(found["before"])
    for name in (*parts, "seconds"):
        table.add_column(name, justify="right")
    table.add_row("before", "", *(f"{found['before'][part][TASK.metric.key]:.4f}" for part in parts), "")
    for side, runs in found["sides"].items():
        cells = [_spread([run[part][TASK.metric.key] for run in runs]) for part in parts]
        table.add_row(side, str(len(runs)), *cells, f"{statistics.median(run['seconds'] for run in runs):.1f}")
    Console(width=150).print(table)


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ({min(values):.4f}-{max(values):.4f})"


if __name__ == "__main__":
    main()
