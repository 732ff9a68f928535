"""Measures every stage with one model, in a given time: one JSON for each stage in DIR.

HF_HUB_OFFLINE=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True \\
    python -m benchmarks.all --shape 14b --out DIR --seconds 540 [--stages train_reranker,score] [--gpus 2] \\
        [--arms "ours, exact|FlagEmbedding"]

With --gpus 2 ours is measured on two GPUs against one, without peers and without a limit (benchmarks/gpus.py). Imports
(about half a minute) come before the seconds are counted; making the model and compiling are within them.
"""

import argparse
import time
from pathlib import Path

from benchmarks import masked_attention, mine, score, train_embedder, train_reranker
from benchmarks.harness.arms import free
from benchmarks.harness.bench import ARMS, opened, read
from benchmarks.harness.several_gpus import start_on_gpus
from benchmarks.inputs.shapes import SHAPES

STAGES = {  # Each with the share of the time that it gets.
    "train_reranker": (train_reranker.run, 0.36),
    "score": (score.run, 0.18),
    "train_embedder": (train_embedder.run, 0.27),
    "mine": (mine.run, 0.19),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures every stage side by side with the peers.")
    parser.add_argument("--shape", choices=SHAPES, default="14b")
    parser.add_argument("--seconds", type=float, default=540.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stages", default=",".join(STAGES), help="in the order in which they are measured")
    parser.add_argument("--arms", **ARMS)
    parser.add_argument("--gpus", type=int, default=1)
    chosen = read(parser)
    deadline, names = time.monotonic() + chosen.seconds, chosen.stages.split(",")
    if unknown := set(names) - set(STAGES):
        raise SystemExit(f"there is no stage {', '.join(sorted(unknown))}; there are: {', '.join(STAGES)}")
    if chosen.gpus > 1:
        start_on_gpus(names, chosen.shape, chosen.gpus, chosen.out)
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    with opened(chosen.shape, chosen.arms) as bench:
        for place, name in enumerate(names):
            run, share = STAGES[name]
            left = sum(STAGES[later][1] for later in names[place:])
            run(bench, (deadline - time.monotonic()) * share / left, chosen.out / f"{name}.json")
            free(bench.device)
        masked_attention.run(bench.device, chosen.out / "masked_attention.json")


if __name__ == "__main__":
    main()
