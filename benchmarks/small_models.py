"""Runs an iteration with small models on the competition's data, without DVC, and prints what its stages reached.

    python -m benchmarks.small_models small0|small1|decoder COMPETITION OUT [section.key=value ...]

decoder trains SmolLM2-135M as the in-context embedder on small0's folds: a check of that path on real data. OUT gets
metrics and manifests, no text of the competition. Needs one GPU.
"""

import subprocess
import sys
from pathlib import Path

from shared.prompts import TASK
from training.report.terminal import print_report

DECODER = [
    "embedder.base=models/smollm2-135m",
    "embedder.pooling=last",
    "embedder.dtype=bfloat16",
    f'embedder.task="{TASK}"',
    "embedder.examples=1",
    "train_embedder.epochs=3",
    "merge_embedder.epoch=3",
    "train_embedder.batch=32",
    "train_embedder.rate=1e-3",
    "train_embedder.temperature=0.02",
    'train_embedder.lora.targets=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]',
]


def main(part: str, competition: str, out: Path, overrides: list[str]) -> None:
    """Run one part, small0, small1 or decoder; copy its figures to `out`."""
    common = [f"prepare.competition={competition}", *overrides]
    if part == "decoder":
        _training("settings", "iter=small0", *common, *DECODER)
        _training("train_embedder", "runs/small0/cv")
    else:
        _training("settings", f"iter={part}", *common)
        _training("all", f"runs/{part}/cv")
        print_report([Path("runs", part, "cv")])
    _keep(Path("runs", "small0" if part == "decoder" else part, "cv"), part, out)


def _training(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "training", *arguments], check=True)


def _keep(run: Path, part: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in ("metrics.json", "manifest.json"):
        for path in run.glob(f"*/{name}"):
            (out / f"{part}_{path.parent.name}_{name}").write_text(path.read_text())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
