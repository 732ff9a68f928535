"""Measures our training and scoring on several GPUs against one, with the same fixed work, in turns.

python -m benchmarks.all --gpus 2 [--shape 14b] [--stages train_reranker,score] --out DIR
python -m benchmarks.train_reranker --gpus 2 [--shape 14b] [--out DIR]     (likewise train_embedder, score, mine)

Every process first does all of the work alone, then they share it, then each does all of it alone again. Without GPUs
they are joined by gloo.
"""

import json
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.harness.adapters import clear_gradients, cosine
from benchmarks.harness.bench import device_name, versions
from benchmarks.harness.sides import Trainer
from benchmarks.harness.timing import timed
from benchmarks.inputs.shapes import SHAPES, build
from benchmarks.inputs.workload import (
    draw_mining,
    draw_pairs,
    draw_texts,
    exact_group,
    instruction,
    mining_rows,
    rows_of,
)
from benchmarks.peers import ours
from inference.engines.distributed import avoid_cudnn_attention, joined_ranks, rank, sum_over_ranks, wait_for_all, world

ROUNDS = {"train_reranker": 3, "train_embedder": 8, "score": 2, "mine": 2}  # One takes 4, 1, 11 and 8 s on a GPU.
BATCH_TOKENS = 8192  # It makes about 35 batches to share out; a real pass has twice as many, of 65,536 tokens.
NEAREST = 200


@dataclass(frozen=True)
class Pass:
    """What came out (scores, vectors or the gradient); seconds of waiting for all and of adding gradients up."""

    answer: torch.Tensor
    loss: float = 0.0
    waiting: float = 0.0
    adding: float = 0.0


@dataclass(frozen=True)
class Measured:
    seconds: list[float]
    last: Pass


Turn = Callable[[], Pass]


def main(names: Sequence[str], shape_name: str, out: Path) -> None:
    """One of torchrun's processes. They are joined once, for torch cannot join them again.

    Rank 0 writes as soon as a stage has a figure, and again with the last passes alone.
    """
    device = _place()
    base = _base(shape_name, device)
    work = {name: WORK[name](shape_name, base) for name in names}
    alone = {name: _measure(run, device, ROUNDS[name]) for name, (run, _) in work.items()}
    about = {"shape": shape_name, "device": device_name(device), "versions": versions()}
    together = {}
    with joined_ranks(device.type):
        first, about["processes"] = rank() == 0, world()
        for name, (run, items) in work.items():
            together[name] = _measure(run, device, ROUNDS[name])
            if first:
                _write({"stage": name, **about, "items": items}, alone[name], together[name], out)
    for name, (run, items) in work.items():
        again = _measure(run, device, 1, warm=False)
        if first:
            both = Measured(alone[name].seconds + again.seconds, again.last)
            _write({"stage": name, **about, "items": items}, both, together[name], out)


def _write(about: dict, alone: Measured, together: Measured, out: Path) -> None:
    one, many = (statistics.median(part.seconds) for part in (alone, together))
    found = {
        **about,
        "seconds_alone": alone.seconds,
        "seconds_together": together.seconds,
        "items_per_second": [about["items"] / one, about["items"] / many],
        "speedup": one / many,
        "efficiency": one / many / about["processes"],
        "share_waiting": together.last.waiting / together.seconds[-1],
        "share_adding_gradients": together.last.adding / together.seconds[-1],
        "losses": [alone.last.loss, together.last.loss],
        "cosine_of_answers": cosine({"": alone.last.answer}, {"": together.last.answer}),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{about['stage']}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1), flush=True)


def train_reranker(shape_name: str, base: torch.nn.Module) -> tuple[Turn, int]:
    """The seed's update of 32 groups."""
    vocabulary, (queries, passages) = SHAPES[shape_name].vocabulary, (4, 4) if shape_name == "tiny" else (32, 16)
    pairs, asked = draw_pairs(vocabulary, queries, passages, seed=11, siblings=False), instruction(vocabulary)
    return _training(ours.reranker_trainer(base), [rows_of(exact_group(pair, asked)) for pair in pairs]), queries


def train_embedder(shape_name: str, base: torch.nn.Module) -> tuple[Turn, int]:
    """The seed's update of 16 queries."""
    queries = 4 if shape_name == "tiny" else 16
    texts = draw_texts(SHAPES[shape_name].vocabulary, queries, 8, seed=31)
    return _training(ours.embedder_trainer(base.model), texts), queries


def score(shape_name: str, base: torch.nn.Module) -> tuple[Turn, int]:
    shape, (queries, passages) = SHAPES[shape_name], (8, 4) if shape_name == "tiny" else (256, 16)
    pairs, asked = draw_pairs(shape.vocabulary, queries, passages, seed=21), instruction(shape.vocabulary)
    rows, model = [row for pair in pairs for row in rows_of(exact_group(pair, asked))], ours.packed(base)
    return lambda: Pass(torch.from_numpy(ours.score(model, rows, BATCH_TOKENS))), len(rows)


def mine(shape_name: str, base: torch.nn.Module) -> tuple[Turn, int]:
    queries, passages, nearest = (16, 40, 5) if shape_name == "tiny" else (2048, 2587, NEAREST)
    rows = mining_rows(draw_mining(SHAPES[shape_name].vocabulary, queries, passages, seed=41))
    model = ours.packed(base.model)
    return lambda: Pass(torch.from_numpy(ours.mine(model, *rows, nearest, BATCH_TOKENS)[1])), queries


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


def _training(trainer: Trainer, groups: Sequence) -> Turn:
    """Gradients of the groups' mean loss, added up over the processes as one 32-bit vector, as in trainer/loop.py."""
    trained = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]
    device = trained[0].device
    total = torch.zeros(sum(parameter.numel() for parameter in trained), device=device)

    def run() -> Pass:
        loss = trainer.step(groups)
        torch.cat([parameter.grad.flatten() for parameter in trained], out=total)
        clear_gradients(trainer.model)
        waiting = timed(wait_for_all, device).seconds
        adding = timed(lambda: sum_over_ranks(total), device).seconds
        return Pass(total, sum_over_ranks(loss).item(), waiting, adding)

    return run


def _measure(run: Turn, device: torch.device, rounds: int, *, warm: bool = True) -> Measured:
    """Several passes, after a first one to warm up."""
    if warm:
        run()
    seconds = []
    for _ in range(rounds):
        wait_for_all()
        once = timed(run, device)
        seconds.append(once.seconds)
    last: Pass = once.value
    return Measured(seconds, replace(last, answer=last.answer.float().cpu().clone()))


if __name__ == "__main__":
    main(sys.argv[1].split(","), sys.argv[2], Path(sys.argv[3]))
