"""Trains LoRA adapters: epochs, updates, schedule, checkpoints, an adapter for every epoch, evaluation after each.

What is trained is an Objective. Its gradients are summed over the processes, so the result is the same for any number.
"""

import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch

from inference.engines.distributed import rank, sum_over_ranks, wait_for_all, world
from inference.engines.progress import Meter
from shared.artifacts.files import write_json
from shared.settings.sections import Train
from shared.task.current import TASK
from training.trainer.batches import Group, cut_evenly
from training.trainer.checkpoint import TrainingProgress, load_checkpoint, save_checkpoint
from training.trainer.lora import Masters, PeftModel, save_adapter


class Objective(Protocol):
    def count_tokens(self, group: Group, seed: str) -> int:
        """Tokens that are computed for a group of an update with this seed."""

    def accumulate(
        self, update: list[Group], own: Sequence[list[int]], collect: Callable[[], None], seed: str
    ) -> float:
        """Add this process's share of the gradient of the update's mean loss; returns its share of that loss.

        `own` are this process's micro-batches, as places in `update`; `collect` moves the gradients
        out of the model after each backward; the seed and a micro-batch's first place fix its dropout.
        """

    def evaluate(self) -> dict:
        """Figures on the whole validation fold, the same on every process; {} without one."""


def train(
    model: PeftModel,
    objective: Objective,
    epochs: Callable[[int], list[list[Group]]],
    settings: Train,
    work: Path,
    fingerprint: str,
) -> list[dict]:
    """Train in `work` (adapters in epoch_1, epoch_2, ...; figures in metrics.json), from where a killed run stopped.

    `epochs(n)` are the updates of epoch n, from 1 on. Returns the figures by epoch; epoch 0 is before training.
    """
    run = TrainingRun(model, objective, settings, work, fingerprint)
    progress = run.start()
    for epoch in range(progress.epoch, settings.epochs + 1):
        updates = epochs(epoch)
        progress = run.train_epoch(updates, progress)
        figures = {"epoch": epoch, "loss": progress.losses / len(updates), **_evaluate(model, objective)}
        progress = TrainingProgress(epoch + 1, 0, 0.0, (*progress.history, figures))
        if rank() == 0:
            save_adapter(model, work / f"epoch_{epoch}")
            write_json(work / "metrics.json", progress.history)
            run.save(progress)
            print(_line(figures), flush=True)
        wait_for_all()
    return list(progress.history)


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at update `step` (from 0) of `steps`: up over the warm-up, then linearly to 0."""
    rising = max(round(warmup * steps), 1)
    return (step + 1) / rising if step < rising else (steps - step) / max(steps - rising, 1)


class TrainingRun:
    """One training run: the model's masters, their optimiser, and the checkpoint that holds both."""

    def __init__(self, model: PeftModel, objective: Objective, settings: Train, work: Path, fingerprint: str):
        self.model, self.objective, self.settings, self.work = model, objective, settings, work
        self.fingerprint = fingerprint
        self.checkpoint = work.with_suffix(".state") / "checkpoint"  # beside the output, which is published without it
        self.masters = Masters(model)
        self.optimizer = torch.optim.AdamW([self.masters.weights], lr=settings.rate, weight_decay=settings.weight_decay)

    def start(self) -> TrainingProgress:
        """Where the checkpoint left off, or the beginning, with the figures of the untrained model."""
        progress = load_checkpoint(self.checkpoint, self.masters, self.optimizer, self.fingerprint)
        if progress is None:
            progress = TrainingProgress(1, 0, 0.0, ({"epoch": 0, **_evaluate(self.model, self.objective)},))
            _clear(self.work)
        for epoch in range(1, progress.epoch):
            if not (self.work / f"epoch_{epoch}").is_dir():
                state = self.checkpoint.parent
                raise ValueError(
                    f"{self.work}/epoch_{epoch} is gone, and {state} goes on behind it: delete {state} too"
                )
        return progress

    def train_epoch(self, updates: list[list[Group]], progress: TrainingProgress) -> TrainingProgress:
        """The updates of `progress.epoch` that are still to do."""
        losses, first = progress.losses, (progress.epoch - 1) * len(updates)
        saved = time.monotonic()
        self.model.train()
        bar = Meter(
            updates[progress.step :],
            initial=progress.step,
            total=len(updates),
            desc=f"epoch {progress.epoch}/{self.settings.epochs}",
            unit=" updates",
        )
        reached = progress.history[-1].get("all", {}).get(TASK.metric.key)
        before = "" if reached is None else f", {TASK.metric.title} {reached:.4f} before"
        for step, update in enumerate(bar, progress.step):
            share = rate_at(first + step, self.settings.epochs * len(updates), self.settings.warmup)
            losses += self.update(update, f"{self.settings.seed}/{first + step}", self.settings.rate * share)
            bar.set_postfix_str(f"loss {losses / (step + 1):.4f}{before}", refresh=False)
            if rank() == 0 and time.monotonic() - saved >= self.settings.checkpoint_seconds:
                self.save(TrainingProgress(progress.epoch, step + 1, losses, progress.history))
                saved = time.monotonic()
        return TrainingProgress(progress.epoch, len(updates), losses, progress.history)

    def update(self, groups: list[Group], seed: str, rate: float) -> float:
        """One step on the mean loss of `groups`, which it returns; each process computes its micro-batches."""
        tokens = [self.objective.count_tokens(group, seed) for group in groups]
        micros = cut_evenly(tokens, self.settings.micro_tokens, world())
        loss = self.objective.accumulate(groups, micros[rank() :: world()], self.masters.collect, seed)
        sum_over_ranks(self.masters.weights.grad)
        norm = torch.nn.utils.clip_grad_norm_(self.masters.weights, self.settings.clip)
        total = sum_over_ranks(torch.tensor(loss, dtype=torch.float64, device=norm.device)).item()
        if not (math.isfinite(norm.item()) and math.isfinite(total)):
            names = ", ".join(group.query_id for group in groups[:3])
            raise ValueError(
                f"the loss is {total}, the gradient's norm {norm.item()} at the update of queries {names}, ...: "
                "lower the rate"
            )
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate
        self.optimizer.step()
        self.masters.publish()
        return total

    def save(self, progress: TrainingProgress) -> None:
        save_checkpoint(self.checkpoint, self.masters, self.optimizer, progress, self.fingerprint)


def _evaluate(model: PeftModel, objective: Objective) -> dict:
    model.eval()
    with torch.no_grad():
        return objective.evaluate()


def _clear(work: Path) -> None:
    if rank() == 0:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    wait_for_all()


def _line(figures: dict) -> str:
    """`epoch 1  loss 0.61  eval_loss 1.20  MAP@25 all 0.31 seen 0.40 unseen 0.28`"""
    numbers = [f"{key} {figures[key]:.4f}" for key in ("loss", "eval_loss") if key in figures]
    metric = TASK.metric
    parts = [f"{part} {value[metric.key]:.4f}" for part, value in figures.items() if isinstance(value, dict)]
    return "  ".join([f"epoch {figures['epoch']}", *numbers, *([f"{metric.title} {' '.join(parts)}"] if parts else [])])
