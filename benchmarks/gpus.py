"""Measures our training and scoring on several GPUs against one, with the same fixed work, in turns.

python -m benchmarks.train_reranker --gpus 2 [--shape 14b] [--out FILE.json]     (likewise train_embedder, score, mine)

Every process first does all of the work alone, then they share it, then each does all of it alone again. Without GPUs
they are joined by gloo.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import ours
from benchmarks.adapters import clear_gradients
from benchmarks.bench import device_name, versions
from benchmarks.shapes import SHAPES, build
from benchmarks.sides import Trainer
from benchmarks.timing import timed
from benchmarks.workload import draw_mining, draw_pairs, draw_texts, exact_group, instruction, mining_rows, rows_of
from inference.ranks import avoid_cudnn_attention, joined_ranks, rank, sum_over_ranks, wait_for_all, world

ROUNDS = 2
BATCH_TOKENS = 8192  # 30 batches of this work to share out; a real pass has 70 of 65,536
NEAREST = 200

Pass = Callable[[], float]  # seconds of it that went into adding the gradients up


def start(name: str, shape: str, gpus: int, out: Path) -> None:
    """Start torchrun with a process for each GPU."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}"]
    subprocess.run([*command, "-m", "benchmarks.gpus", name, shape, str(out)], check=True)


def main(name: str, shape_name: str, out: Path) -> None:
    """One of torchrun's processes. Rank 0 writes `out` and prints what it holds."""
    device = _place()
    run, items = WORK[name](shape_name, device)
    alone = _measure(run, device)
    with joined_ranks(device.type):
        wait_for_all()
        together = _measure(run, device)
        processes, first = world(), rank() == 0
    alone += _measure(run, device, rounds=1, warm=False)
    if not first:
        return
    one, many = (statistics.median(seconds for seconds, _ in part) for part in (alone, together))
    found = {
        "stage": name,
        "shape": shape_name,
        "device": device_name(device),
        "versions": versions(),
        "processes": processes,
        "items": items,
        "seconds_alone": [seconds for seconds, _ in alone],
        "seconds_together": [seconds for seconds, _ in together],
        "items_per_second": [items / one, items / many],
        "speedup": one / many,
        "efficiency": one / many / processes,
        "share_adding_gradients": statistics.median(adding / seconds for seconds, adding in together),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1), flush=True)


def train_reranker(shape_name: str, device: torch.device) -> tuple[Pass, int]:
    """The seed's update of 32 groups."""
    shape, (queries, passages) = SHAPES[shape_name], (4, 4) if shape_name == "tiny" else (32, 16)
    pairs, asked = draw_pairs(shape.vocabulary, queries, passages, seed=11), instruction(shape.vocabulary)
    trainer = ours.reranker_trainer(_base(shape_name, device))
    return _training(trainer, [rows_of(exact_group(pair, asked)) for pair in pairs], device), queries


def train_embedder(shape_name: str, device: torch.device) -> tuple[Pass, int]:
    """The seed's update of 16 queries."""
    queries = 4 if shape_name == "tiny" else 16
    trainer = ours.embedder_trainer(_base(shape_name, device).model)
    return _training(trainer, draw_texts(SHAPES[shape_name].vocabulary, queries, 8, seed=31), device), queries


def score(shape_name: str, device: torch.device) -> tuple[Pass, int]:
    shape, (queries, passages) = SHAPES[shape_name], (8, 4) if shape_name == "tiny" else (256, 16)
    pairs, asked = draw_pairs(shape.vocabulary, queries, passages, seed=21), instruction(shape.vocabulary)
    rows, model = (
        [row for pair in pairs for row in rows_of(exact_group(pair, asked))],
        ours.packed(_base(shape_name, device)),
    )
    return _without_gradients(lambda: ours.score(model, rows, BATCH_TOKENS)), len(rows)


def mine(shape_name: str, device: torch.device) -> tuple[Pass, int]:
    queries, passages, nearest = (16, 40, 5) if shape_name == "tiny" else (2048, 2587, NEAREST)
    rows = mining_rows(draw_mining(SHAPES[shape_name].vocabulary, queries, passages, seed=41))
    model = ours.packed(_base(shape_name, device).model)
    return _without_gradients(lambda: ours.mine(model, *rows, nearest, BATCH_TOKENS)), queries


WORK = {"train_reranker": train_reranker, "train_embedder": train_embedder, "score": score, "mine": mine}


def _place() -> torch.device:
    """This process's device, before the processes are joined."""
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device


def _base(shape_name: str, device: torch.device) -> torch.nn.Module:
    avoid_cudnn_attention()
    return build(SHAPES[shape_name], device, torch.bfloat16 if device.type == "cuda" else torch.float32)


def _training(trainer: Trainer, groups: list, device: torch.device) -> Pass:
    """Gradients of the groups' mean loss, added up over the processes as one 32-bit vector, as in training/loop.py."""
    trained = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]
    total = torch.zeros(sum(parameter.numel() for parameter in trained), device=device)

    def run() -> float:
        trainer.step(groups)
        torch.cat([parameter.grad.flatten() for parameter in trained], out=total)
        clear_gradients(trainer.model)
        return timed(lambda: sum_over_ranks(total), device).seconds

    return run


def _without_gradients(work: Callable[[], object]) -> Pass:
    def run() -> float:
        work()
        return 0.0

    return run


def _measure(run: Pass, device: torch.device, rounds: int = ROUNDS, *, warm: bool = True) -> list[tuple[float, float]]:
    """Seconds, and seconds of adding gradients up, of each pass, after a first one to warm up."""
    if warm:
        run()
    passes = []
    for _ in range(rounds):
        wait_for_all()
        once = timed(run, device)
        passes.append((once.seconds, once.value))
    return passes


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
