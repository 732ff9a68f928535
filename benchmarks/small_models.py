"""Runs iterations with small models on the competition's data, and keeps what their stages reached.

    python -m benchmarks.small_models splits COMPETITION OUT [section.key=value ...]
    python -m benchmarks.small_models decoder COMPETITION OUT [section.key=value ...]

splits trains small0 and then small1 on every split that holds data out, the splits side by side over the GPUs. decoder
trains SmolLM2-135M as the in-context embedder on small0's folds: a check of that path on real data. OUT gets an archive
of figures, rankings and manifests for each iteration, no text of the competition. Needs a GPU.
"""

import os
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from shared.settings.load import load_settings
from shared.task.splits import SPLITS, holds_out
from training.run_folder.base_models import local_folder

DECODER = [
    "embedder.base=models/smollm2-135m",
    "embedder.pooling=last",
    "embedder.dtype=bfloat16",
    "embedder.examples=1",
    "train_embedder.epochs=3",
    "merge_embedder.epoch=3",
    "train_embedder.batch=32",
    "train_embedder.rate=1e-3",
    "train_embedder.temperature=0.02",
    'train_embedder.lora.targets=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]',
]


ITERATIONS = ("small0", "small1")
KEPT = ("settings.json", "*/metrics.json", "*/manifest.json", "audit/audit.json", "evaluate/*.parquet", "*.log")


def main(part: str, competition: str, out: Path, overrides: list[str]) -> None:
    """Run one part and pack its figures into `out`."""
    common = [f"prepare.competition={competition}", *overrides]
    for base in ("models/minilm", "models/smollm2-135m"):
        local_folder(base)  # made once, before several processes would make it
    if part == "decoder":
        task = f'embedder.task="{load_settings("iter0").embedder.task}"'  # small0's own embedder is plain, without one
        _training("settings", "iter=small0", *common, *DECODER, task)
        _training("train_embedder", "runs/small0/cv")
        done = []
    else:
        splits, gpus = [split for split in SPLITS if holds_out(split)], torch.cuda.device_count()
        with ThreadPoolExecutor(len(splits)) as pool:
            done = [pool.submit(_train, split, place % gpus, common) for place, split in enumerate(splits)]
    out.mkdir(parents=True, exist_ok=True)
    for iteration in ITERATIONS:
        _pack(Path("runs", iteration), out / f"{iteration}.tar.gz")
    for future in done:  # now: a split that failed must not cost the others their archive
        future.result()


def _train(split: str, gpu: int, common: list[str]) -> None:
    """Both iterations of one split on one GPU; what they print goes to a log in the last one's folder."""
    place = {**os.environ, "CUDA_VISIBLE_DEVICES": str(gpu)}
    first, last = ITERATIONS
    run = Path("runs", last, split)
    run.mkdir(parents=True, exist_ok=True)
    with (run / "training.log").open("w", encoding="utf-8") as log:
        to_log = {"stdout": log, "stderr": subprocess.STDOUT, "env": place}
        _training("settings", f"iter={first}", f"split={split}", *common, **to_log)
        _training("train", f"iter={last}", f"split={split}", *common, **to_log)
    print(f"{run} is done", flush=True)


def _training(*arguments: str, **options: object) -> None:
    subprocess.run([sys.executable, "-m", "training", *arguments], check=True, **options)


def _pack(runs: Path, archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as packed:
        for path in sorted(path for pattern in KEPT for path in runs.glob(f"*/{pattern}")):
            packed.add(path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
