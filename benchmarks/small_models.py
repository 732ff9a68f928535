"""Runs both iterations with small models on the competition's data, without DVC, and prints what every stage cost and reached.

    python -m benchmarks.small_models COMPETITION OUT [section.key=value ...]

Then, as a check of the decoder path, trains SmolLM2-135M as the in-context embedder on the same folds. OUT gets the
metrics and manifests, no text of the competition. Needs one GPU; the overrides go to every iteration.
"""

import json
import subprocess
import sys
from pathlib import Path

from shared.prompts import TASK
from training.report import print_report

DECODER = [
    "embedder.base=models/smollm2-135m",
    "embedder.pooling=last",
    "embedder.dtype=bfloat16",
    f'embedder.task="{TASK}"',
    "embedder.examples=1",
    "train_embedder.epochs=3",
    "merge_embedder.epoch=3",
    "train_embedder.batch=32",
    "train_embedder.micro_groups=32",
    "train_embedder.rate=2e-4",
    "train_embedder.temperature=0.02",
    'train_embedder.lora.targets=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]',
]


def main(competition: str, out: Path, overrides: list[str]) -> None:
    """Run small0, small1 and the decoder's check; copy the figures to `out`."""
    common = [f"prepare.competition={competition}", *overrides]
    for iteration in ("small0", "small1"):
        _training("settings", f"iter={iteration}", *common)
        _training("all", f"runs/{iteration}/cv")
        _keep(Path("runs", iteration, "cv"), out)
    print_report([Path("runs/small0/cv"), Path("runs/small1/cv")])
    _training("settings", "iter=small0", *common, *DECODER)
    _training("train_embedder", "runs/small0/cv")
    decoder = Path("runs/small0/cv/train_embedder")
    (out / "decoder_metrics.json").write_text((decoder / "metrics.json").read_text())
    for figures in json.loads((decoder / "metrics.json").read_text()):
        parts = {part: round(value["map@25"], 4) for part, value in figures.items() if isinstance(value, dict)}
        print("decoder embedder, epoch", figures["epoch"], parts)


def _training(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "training", *arguments], check=True)


def _keep(run: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in ("metrics.json", "manifest.json"):
        for path in run.glob(f"*/{name}"):
            (out / f"{run.parent.name}_{path.parent.name}_{name}").write_text(path.read_text())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
