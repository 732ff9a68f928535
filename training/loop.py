"""Trains LoRA adapters: epochs, updates, schedule, checkpoints, an adapter for every epoch, evaluation after each.

What is trained is an Objective. Its gradients are summed over the processes, so the result is the same for any number.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from tqdm import tqdm

from inference.ranks import rank, sum_over_ranks, wait_for_all, world
from shared.settings import Train
from training.batches import Group
from training.checkpoint import Progress, load_checkpoint, save_checkpoint
from training.lora import Masters, PeftModel, save_adapter


class Objective(Protocol):
    def accumulate(self, update: list[Group], mine: Sequence[slice], collect: Callable[[], None], seed: str) -> float:
        """Add this process's share of the gradient of the update's mean loss; returns its share of that loss.

        `mine` are the micro-batches of `update` that this process computes; `collect` moves the gradients out of the
        model after each backward; the seed and a micro-batch's start fix its dropout.
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
    masters = Masters(model)
    optimizer = torch.optim.AdamW(masters.copies, lr=settings.rate, weight_decay=settings.weight_decay)
    progress = load_checkpoint(work / "checkpoint", masters, optimizer, fingerprint)
    if progress is None:
        progress = Progress(1, 0, 0.0, ({"epoch": 0, **_evaluate(model, objective)},))
        _clear(work)
    for epoch in range(progress.epoch, settings.epochs + 1):
        updates = epochs(epoch)
        progress = _train_epoch(model, objective, masters, optimizer, updates, settings, work, progress, fingerprint)
        figures = {"epoch": epoch, "loss": progress.losses / len(updates), **_evaluate(model, objective)}
        progress = Progress(epoch + 1, 0, 0.0, (*progress.history, figures))
        if rank() == 0:
            save_adapter(model, work / f"epoch_{epoch}")
            (work / "metrics.json").write_text(json.dumps(progress.history, indent=1) + "\n")
            save_checkpoint(work / "checkpoint", masters, optimizer, progress, fingerprint)
            print(_line(figures), flush=True)
        wait_for_all()
    return list(progress.history)


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at update `step` (from 0) of `steps`: up over the warm-up, then linearly to 0."""
    rising = max(round(warmup * steps), 1)
    return (step + 1) / rising if step < rising else (steps - step) / max(steps - rising, 1)


def _train_epoch(model, objective, masters, optimizer, updates, settings, work, progress, fingerprint) -> Progress:
    steps, done, losses = settings.epochs * len(updates), progress.step, progress.losses
    saved = time.monotonic()
    model.train()
    bar = tqdm(
        updates[done:],
        initial=done,
        total=len(updates),
        desc=f"epoch {progress.epoch}/{settings.epochs}",
        unit="update",
        disable=rank() > 0,
        mininterval=5,
    )
    for step, update in enumerate(bar, done):
        number = (progress.epoch - 1) * len(updates) + step
        loss = _update(
            objective,
            masters,
            optimizer,
            update,
            settings,
            f"{settings.seed}/{number}",
            settings.rate * rate_at(number, steps, settings.warmup),
        )
        losses += loss
        bar.set_postfix(loss=f"{losses / (step + 1):.4f}", refresh=False)
        if rank() == 0 and time.monotonic() - saved >= settings.checkpoint_seconds:
            save_checkpoint(
                work / "checkpoint",
                masters,
                optimizer,
                Progress(progress.epoch, step + 1, losses, progress.history),
                fingerprint,
            )
            saved = time.monotonic()
    return Progress(progress.epoch, len(updates), losses, progress.history)


def _update(objective, masters, optimizer, update, settings, seed, rate) -> float:
    size = settings.micro_groups
    micros = [slice(start, start + size) for start in range(0, len(update), size)]
    loss = objective.accumulate(update, micros[rank() :: world()], masters.collect, seed)
    for gradient in masters.gradients():
        sum_over_ranks(gradient)
    norm = torch.nn.utils.clip_grad_norm_(masters.copies, settings.clip)
    total = sum_over_ranks(torch.tensor(loss, dtype=torch.float64, device=norm.device)).item()
    if not (torch.isfinite(norm) and total == total):
        names = ", ".join(group.query_id for group in update[:3])
        raise ValueError(
            f"the loss is {total}, the gradient's norm {norm.item()} at the update of queries {names}, ...: "
            "lower the rate"
        )
    for parameters in optimizer.param_groups:
        parameters["lr"] = rate
    optimizer.step()
    masters.publish()
    return total


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
    parts = [f"{part} {value['map@25']:.4f}" for part, value in figures.items() if isinstance(value, dict)]
    return "  ".join([f"epoch {figures['epoch']}", *numbers, *(["MAP@25 " + " ".join(parts)] if parts else [])])
