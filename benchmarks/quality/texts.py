"""Measures what written texts are worth to the embedder and to the reranker, on every split that holds data out.

    python -m benchmarks.quality.texts embedders COMPETITION OUT [split=NAME] [cell=NAME] [section.key=value ...]
    python -m benchmarks.quality.texts rerankers COMPETITION OUT [split=NAME] [cell=NAME] [section.key=value ...]
    python -m benchmarks.quality.texts table OUT

A cell is a set of settings on top of the iteration explained0. `embedders` trains the embedder alone for each cell and
split. `rerankers` trains the embedder of explained0 once for each split, and behind it one reranker after another. Work
is spread over the GPUs, several processes on each, since small models leave most of one idle. Every result is a file in
OUT, and what is there is not computed again. `table` prints means over the splits, with paired intervals against the
reranker without texts. Needs a GPU; no text of the competition gets into OUT.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import polars as pl
from rich.console import Console
from rich.table import Table

from shared.settings.sections import Evaluate
from shared.task.splits import SPLITS, holds_out
from shared.task.tables import POOLS
from training.analysis.compare import paired_difference

ITERATION = "explained0"
ROOT = Path(__file__).parents[2]
ON_EACH_GPU = 4  # processes
NONE = ["rationale=none", "rationale_tokens=0"]
PLAIN = "description_tokens=0"
EMBEDDERS = {
    "none": [*NONE, PLAIN],
    "none, described": NONE,
    "short": ["rationale=short", PLAIN],
    "short, described": ["rationale=short"],
    "cot": ["rationale=cot", PLAIN],
    "cot, described": ["rationale=cot"],
    "both": ["rationale=both", PLAIN],
    "both, described": ["rationale=both"],
}
RERANKERS = {
    "both, described": ["rationale=both"],
    "none": [*NONE, PLAIN],
    "short": ["rationale=short", PLAIN],
    "both": ["rationale=both", PLAIN],
    "short, described": ["rationale=short"],
    "cot": ["rationale=cot", PLAIN],
    "none, described": NONE,
}
PARTS = ("all", "seen", "unseen")
UP_TO = {"embedders": "train_embedder", "rerankers": "evaluate"}


def main(part: str, competition: str, out: Path, overrides: list[str], only: list[str], said_splits: list[str]) -> None:
    """Fill `out` with the results of one part."""
    gpus = _gpus()
    out.mkdir(parents=True, exist_ok=True)
    cells = {"embedders": EMBEDDERS, "rerankers": RERANKERS}[part]
    cells = {name: cell for name, cell in cells.items() if not only or name in only}
    common = [f"prepare.competition={Path(competition).resolve()}", *overrides]
    splits = said_splits or [split for split in SPLITS if holds_out(split)]
    if part == "embedders":
        work = [(split, {name: cell}) for name, cell in cells.items() for split in splits]
    else:
        work = [(split, cells) for split in splits]
    with ThreadPoolExecutor(gpus.qsize()) as pool:
        done = [pool.submit(_measure, part, split, some, common, out, gpus) for split, some in work]
    for future in done:
        future.result()


def _gpus() -> Queue:
    import torch

    gpus: Queue = Queue()
    count = max(torch.cuda.device_count(), 1)
    for place in range(ON_EACH_GPU * count):
        gpus.put(place % count)
    return gpus


def _measure(part: str, split: str, cells: dict, common: list[str], out: Path, gpus: Queue) -> None:
    gpu = gpus.get()
    try:
        _measure_on(gpu, part, split, cells, common, out)
    finally:
        gpus.put(gpu)


def _measure_on(gpu: int, part: str, split: str, cells: dict, common: list[str], out: Path) -> None:
    role = part.removesuffix("s")
    place = _work_folder(out, split if len(cells) > 1 else f"{split}-{'-'.join(cells)}".replace(", ", "-"))
    for name, cell in cells.items():
        result = _result(out, part, name, split)
        if result.with_suffix(".json").exists():
            continue
        sections = ("embedder", "miner") if role == "embedder" else ("reranker",)
        said = [f"{section}.{setting}" for section in sections for setting in cell]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": str(gpu), "PYTHONPATH": _path()}
        with result.with_suffix(".log").open("w", encoding="utf-8") as log:
            words = [f"iter={ITERATION}", f"split={split}", *common, *said]
            command = [sys.executable, "-m", "benchmarks.quality.stages", UP_TO[part], *words]
            subprocess.run(command, cwd=place, env=environment, stdout=log, stderr=subprocess.STDOUT, check=True)
        _keep(place / "runs" / ITERATION / split, role, result)
        print(f"{result.name} is done", flush=True)
    shutil.rmtree(place)


def _keep(run: Path, role: str, result: Path) -> None:
    if role == "embedder":
        shutil.copy(run / "train_embedder/metrics.json", result.with_suffix(".json"))
        return
    for name in ("ranks", "ranked", "candidates"):
        shutil.copy(run / f"evaluate/{name}.parquet", f"{result}.{name}.parquet")
    shutil.copy(run / "evaluate/metrics.json", result.with_suffix(".json"))


def _work_folder(out: Path, name: str) -> Path:
    """A folder that looks like a checkout, in which runs/ is its own."""
    place = (out / "work" / name).resolve()
    (place / "training").mkdir(parents=True, exist_ok=True)
    for link, target in (("models", ROOT / "models"), ("training/iterations", ROOT / "training/iterations")):
        if not (place / link).is_symlink():
            (place / link).symlink_to(target)
    return place


def _path() -> str:
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def table(out: Path) -> None:
    """Print what stands in `out`: means over the splits, and of rerankers the paired difference to the one without."""
    console = Console(width=150)
    embedders = Table(
        "texts", "splits", *PARTS, "recall@25", title="Embedder: MAP@25 in the catalogue, before -> after"
    )
    for name in EMBEDDERS:
        if histories := [_read(path) for path in _results(out, "embedders", name)]:
            parts = [" -> ".join(f"{_mean(histories, place, part):.3f}" for place in (0, -1)) for part in PARTS]
            recall = statistics.mean(history[-1]["all"]["recall@25"] for history in histories)
            embedders.add_row(name, str(len(histories)), *parts, f"{recall:.3f}")
    console.print(embedders)
    how = {"unseen_weight": Evaluate().unseen_weight, "resamples": Evaluate().bootstrap}
    rerankers = Table("texts", "pool", "retrieved", "reranked", "difference to none (95 %)", title="Reranker: weighted")
    for name in RERANKERS:
        for pool in POOLS if _results(out, "rerankers", name) else ():
            retrieved, reranked = (_ranks(out, name, pool, ranking) for ranking in ("retrieved", "reranked"))
            before, after, *_ = paired_difference(retrieved, reranked, **how)
            _, _, gained, low, high, _ = paired_difference(_ranks(out, "none", pool, "reranked"), reranked, **how)
            rerankers.add_row(name, pool, f"{before:.3f}", f"{after:.3f}", f"{gained:+.3f} ({low:+.3f} to {high:+.3f})")
    console.print(rerankers)


def _results(out: Path, part: str, name: str) -> list[Path]:
    return [path for split in SPLITS if (path := _result(out, part, name, split).with_suffix(".json")).exists()]


def _result(out: Path, part: str, name: str, split: str) -> Path:
    return out / f"{part}-{name.replace(', ', '-')}-{split}"


def _read(path: Path) -> list:
    return json.loads(path.read_text(encoding="utf-8"))


def _mean(histories: list[list[dict]], place: int, part: str) -> float:
    return statistics.mean(history[place][part]["map@25"] for history in histories)


def _ranks(out: Path, name: str, pool: str, ranking: str) -> list[pl.DataFrame]:
    """The table RANKS of every split that the cell without texts has too, which the difference is to."""
    splits = [path.stem.rpartition("-")[2] for path in _results(out, "rerankers", "none")]
    tables = [pl.read_parquet(f"{_result(out, 'rerankers', name, split)}.ranks.parquet") for split in splits]
    return [table.filter(pl.col("pool") == pool, pl.col("ranking") == ranking) for table in tables]


if __name__ == "__main__":
    if sys.argv[1] == "table":
        table(Path(sys.argv[2]))
    else:
        words = sys.argv[4:]
        names, splits = ([w.removeprefix(key) for w in words if w.startswith(key)] for key in ("cell=", "split="))
        settings = [word for word in words if not word.startswith(("cell=", "split="))]
        main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), settings, names, splits)
