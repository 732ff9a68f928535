"""Trains and evaluates what plans of experiments ask for, many small trainings side by side on each GPU.

    python -m benchmarks.quality.arms DATA OUT PLAN [PLAN ...] [lanes=4] [section.key=value ...]

DATA holds a folder for each plan's `data`, such as DATA/eedi. The arms of a plan with the same split and seed run one
after another in a folder of their own, where they share the stages that they have in common; these sequences are
spread over `lanes` processes on each GPU, for small models leave most of one idle. What an arm found is a few files in
OUT, and what is there of the same words and data is not computed again, whatever code made it. An arm that fails costs
no other. No text of the data gets into OUT.
`python -m benchmarks.quality.table OUT PLAN` prints what is there.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from benchmarks.quality.plans import Plan, read_plan, result_path, slug
from shared.artifacts.files import write_json
from shared.artifacts.json_files import read_json

ROOT = Path(__file__).parents[2]
KEPT = {"evaluate": ("metrics.json", "ranks.parquet", "siblings.parquet"), "train_embedder": ("metrics.json",)}
MADE_OF = "made_of.json"  # written last: what an arm was asked for, without which its files are not taken for results
SEEDED = ("train_embedder", "train_reranker")


@dataclass(frozen=True)
class Sequence:
    """All arms of a plan with one split and one seed."""

    plan: Plan
    split: str
    seed: str

    @property
    def name(self) -> str:
        return f"{self.plan.name}.{self.split}.{self.seed}"


def main(data: Path, out: Path, words: list[str]) -> int:
    """Fill `out`; the number of arms that failed."""
    said = [word for word in words if "." in word.partition("=")[0]]
    plans = [read_plan(word) for word in words if "=" not in word]
    plans = [plan.model_copy(update={"words": (*plan.words, *said)}) for plan in plans]
    lanes = int(dict(word.split("=", 1) for word in words if "=" in word).get("lanes", 4))
    gpus = _gpus(lanes)
    work = [Sequence(plan, split, seed) for plan in plans for seed in plan.seeds for split in plan.splits]
    with ThreadPoolExecutor(gpus.qsize()) as pool:
        failed = sum(pool.map(lambda sequence: _run(sequence, data.resolve(), out.resolve(), gpus), work))
    print(f"all done, {failed} failed", flush=True)
    return failed


def _gpus(lanes: int) -> Queue:
    import torch

    gpus: Queue = Queue()
    count = max(torch.cuda.device_count(), 1)
    for place in range(lanes * count):
        gpus.put(place % count)
    return gpus


def _run(sequence: Sequence, data: Path, out: Path, gpus: Queue) -> int:
    gpu, place = gpus.get(), _work_folder(out / "work" / sequence.name)
    try:
        return sum(not _measure(sequence, arm, data, place, gpu) for arm in sequence.plan.arms)
    finally:
        gpus.put(gpu)
        shutil.rmtree(place, ignore_errors=True)


def _measure(sequence: Sequence, arm: str, data: Path, place: Path, gpu: int) -> bool:
    """Whether the arm's results are there."""
    plan, out = sequence.plan, place.parents[1]
    result = result_path(out, plan, arm, sequence.split, sequence.seed)
    iteration, words = words_of(sequence, arm)
    made_of = {"until": plan.until, "words": words, "blank": plan.blank, "data": _digest(data / plan.data)}
    if _is_made_of(result, made_of):
        return True
    result.parent.mkdir(parents=True, exist_ok=True)
    words = [*words, f"prepare.competition={data / plan.data}"]
    run, began = place / "runs" / f"{iteration}@{slug(arm)}" / sequence.split, time.monotonic()
    with Path(f"{result}.log").open("w", encoding="utf-8") as log:
        done = _call("stages", [plan.until, *words], place, gpu, log)
        if done and plan.blank:
            done = _call("blanked", [run, str(plan.blank), f"{result}.blanked.parquet"], place, gpu, log)
    if done:
        for name in KEPT[plan.until]:
            if (run / plan.until / name).exists():
                shutil.copy(run / plan.until / name, f"{result}.{name}.partial")
                os.replace(f"{result}.{name}.partial", f"{result}.{name}")
        write_json(Path(f"{result}.{MADE_OF}"), made_of)
    how = "is done" if done else "FAILED"
    print(f"{plan.name}: {result.name} {how}, {time.monotonic() - began:.0f} s", flush=True)
    return done


def words_of(sequence: Sequence, arm: str) -> tuple[str, list[str]]:
    """The iteration of an arm, and what is said on the command line for it, but for the place of the data."""
    plan = sequence.plan
    said = [word.removeprefix("iter=") for word in plan.arms[arm] if word.startswith("iter=")]
    iteration = (said or [plan.iteration])[0]
    words = [f"iter={iteration}", f"as={slug(arm)}", f"split={sequence.split}", *plan.words]
    words += [word for word in plan.arms[arm] if not word.startswith("iter=")]
    return iteration, words + [f"{part}.seed={sequence.seed}" for part in SEEDED if sequence.seed != "train"]


def _is_made_of(result: Path, made_of: dict) -> bool:
    path = Path(f"{result}.{MADE_OF}")
    return path.is_file() and read_json(path) == made_of


def _digest(folder: Path) -> str:
    """SHA-256 of the files of a folder."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _call(module: str, words: list, place: Path, gpu: int, log) -> bool:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": str(gpu), "PYTHONPATH": path}
    command = [sys.executable, "-m", f"benchmarks.quality.{module}", *map(str, words)]
    return subprocess.run(command, cwd=place, env=environment, stdout=log, stderr=subprocess.STDOUT).returncode == 0


def _work_folder(place: Path) -> Path:
    """A folder that looks like a checkout, in which runs/ is its own."""
    (place / "training").mkdir(parents=True, exist_ok=True)
    for name in ("models", "training/iterations"):
        if not (place / name).is_symlink():
            (place / name).symlink_to(ROOT / name)
    return place


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])))
