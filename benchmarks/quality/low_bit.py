"""Trains a reranker on one base as it lies in 16 bits, in NF4 and hosted in 4 bits, from the same adapter on.

    python -m benchmarks.quality.low_bit data/eedi --base models/smollm2-135m-2 --packed DIR

prints the mean loss of groups that no update showed, before and after, and what an adapter that was trained on NF4
comes to on the 16 bits that merging puts it in. Every query has random negatives.
"""

import argparse
import random
from pathlib import Path

import polars as pl
import torch

from inference.engines.tokenizer import load_tokenizer
from inference.engines.transformers.engine import load_causal
from inference.machine.profiles import load_profile
from shared.prompts.pointwise import RerankerPrompt
from shared.settings.sections import Lora, TrainReranker, Weights
from shared.task.current import TASK
from shared.task.tables import CANDIDATES
from training.run_folder.base_models import local_folder
from training.trainer.batches import Group
from training.trainer.lora import Masters, PeftModel, add_lora
from training.trainer.pointwise_reranker import RerankerObjective
from training.trainer.recompute import fit_memory
from training.trainer.update import Updates

SETTINGS = TrainReranker(lora=Lora(rank=16, alpha=32), group=4, batch=4, rate=1e-3, distill=0.0)
HELD_OUT = 24  # groups
CPU = torch.device("cpu")


def main() -> None:
    """Print a row for each way to hold the base."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("competition", type=Path)
    asked.add_argument("--base", default="models/smollm2-135m-2")
    asked.add_argument("--packed", type=Path, help="the same base in AWQ's or GPTQ's format")
    asked.add_argument("--updates", type=int, default=30)
    said = asked.parse_args()
    base = local_folder(said.base)
    ways: list[tuple[Weights, Path]] = [("full", base), ("nf4", base)]
    ways += [("packed", said.packed)] if said.packed else []
    groups, tables = _read(said.competition)
    adapters = {}
    for weights, folder in ways:
        model, objective = _open(folder, weights, tables)
        before = _loss(objective, groups[:HELD_OUT])
        trained = _train(model, objective, groups[HELD_OUT:], said.updates)
        after, adapters[weights] = _loss(objective, groups[:HELD_OUT]), Masters(model)
        print(f"{weights:7} before {before:.4f}  last ten updates {trained:.4f}  after {after:.4f}", flush=True)
    model, objective = _open(base, "full", tables)
    moved = Masters(model)
    moved.weights.data.copy_(adapters["nf4"].weights)
    moved.publish()
    print(f"trained on nf4, in the 16 bits: after {_loss(objective, groups[:HELD_OUT]):.4f}")


def _read(competition: Path) -> tuple[list[Group], tuple]:
    """Groups of labelled pairs in an order of chance, and the tables that an objective reads."""
    data, draw = TASK.read(competition), random.Random(0)
    queries = data.train.with_columns(fold=pl.lit("train"))
    ids = data.misconceptions["misconception_id"].to_list()
    labelled = list(queries.drop_nulls("misconception_id").select("query_id", "misconception_id").iter_rows())
    draw.shuffle(labelled)
    groups = []
    for query_id, right in labelled:
        negatives = draw.sample([id_ for id_ in ids if id_ != right], SETTINGS.group - 1)
        groups.append(Group(query_id, (right, *negatives), (0.0,) * SETTINGS.group))
    return groups, (queries, data.misconceptions, pl.DataFrame(schema=CANDIDATES.schema))


def _open(folder: Path, weights: Weights, tables: tuple) -> tuple[PeftModel, RerankerObjective]:
    model = load_causal(folder, "float32", CPU, weights=weights)
    adapted = add_lora(model, SETTINGS.lora, seed="low bit")
    fit_memory(model, SETTINGS)
    prompt = RerankerPrompt(query_tokens=200, passage_tokens=48)
    batch_tokens = load_profile("cpu").batch_tokens
    return adapted, RerankerObjective(model, load_tokenizer(folder), prompt, tables, SETTINGS, batch_tokens)


def _train(model: PeftModel, objective: RerankerObjective, groups: list[Group], count: int) -> float:
    """The mean loss of the last ten updates."""
    updates, losses = Updates(model.train(), objective, SETTINGS), []
    for number in range(count):
        update = groups[number * SETTINGS.batch : (number + 1) * SETTINGS.batch]
        losses.append(updates.update(update, f"low bit/{number}", SETTINGS.rate * (1 - number / count)))
    model.eval()
    return sum(losses[-10:]) / len(losses[-10:])


@torch.no_grad()
def _loss(objective: RerankerObjective, groups: list[Group]) -> float:
    parts = [objective._loss(groups[start : start + 4], "low bit") for start in range(0, len(groups), 4)]
    return torch.cat(parts).mean().item()


if __name__ == "__main__":
    main()
