"""Trains LoRA adapters: epochs, updates, schedule, checkpoints, an adapter for every epoch, evaluation after each.

What is trained is an Objective. Its gradients are summed over the processes, so the result is the same for any number.
"""

import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch

from inference.engines.distributed import check_same, rank, wait_for_all
from inference.engines.heartbeat import reached
from inference.engines.progress import Meter
from shared.artifacts.files import write_json
from shared.settings.sections import Train
from shared.task.current import TASK
from training.trainer.batches import Group
from training.trainer.checkpoint import TrainingProgress, load_checkpoint, save_checkpoint
from training.trainer.figures.record import Record
from training.trainer.figures.tracker import tell
from training.trainer.lora import PeftModel, save_adapter
from training.trainer.update import Objective, Updates

MOST_UPDATES = 1 << 40  # of an epoch


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
        if not math.isfinite(figures.get("eval_loss", 0.0)):
            raise ValueError(f"eval_loss is {figures['eval_loss']} after epoch {epoch}: lower the rate")
        progress = TrainingProgress(epoch + 1, 0, 0.0, (*progress.history, figures))
        tell(figures, epoch * len(updates))
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
    """One training run: its steps, and the checkpoint that holds what they have reached."""

    def __init__(self, model: PeftModel, objective: Objective, settings: Train, work: Path, fingerprint: str):
        self.model, self.objective, self.settings, self.work = model, objective, settings, work
        self.updates = Updates(model, objective, settings)
        self.fingerprint = fingerprint
        self.checkpoint = state_of(work) / "checkpoint"
        self.record: Record | None = None  # from the start on

    def start(self) -> TrainingProgress:
        """Where the checkpoint left off, or the beginning, with the figures of the untrained model."""
        progress = load_checkpoint(self.checkpoint, self.updates.masters, self.updates.optimizer, self.fingerprint)
        done = progress.epoch * MOST_UPDATES + progress.step if progress else 0
        check_same(done, f"the checkpoint in {self.checkpoint}", self.updates.masters.weights.device)
        if progress is None:
            progress = TrainingProgress(1, 0, 0.0, ({"epoch": 0, **_evaluate(self.model, self.objective)},))
            _set_aside(self.work, self.checkpoint.with_name("before"))
        for epoch in range(1, progress.epoch):
            if not (self.work / f"epoch_{epoch}").is_dir():
                state = self.checkpoint.parent
                raise ValueError(
                    f"{self.work}/epoch_{epoch} is gone, and {state} goes on behind it: delete {state} too"
                )
        device = self.updates.masters.weights.device
        self.record = Record(self.work, self.fingerprint, device, (progress.epoch, progress.step))
        return progress

    def train_epoch(self, updates: list[list[Group]], progress: TrainingProgress) -> TrainingProgress:
        """The updates of `progress.epoch` that are still to do."""
        assert self.record is not None
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
        best = progress.history[-1].get("all", {}).get(TASK.metric.key)
        before = "" if best is None else f", {TASK.metric.title} {best:.4f} before"
        for step, update in enumerate(bar, progress.step):
            reached(f"epoch {progress.epoch}, update {step + 1} of {len(updates)}")
            share = rate_at(first + step, self.settings.epochs * len(updates), self.settings.warmup)
            began, rate = time.perf_counter(), self.settings.rate * share
            loss = self.updates.update(update, f"{self.settings.seed}/{first + step}", rate)
            figures = {"loss": loss, "tokens": self.updates.tokens, "seconds": time.perf_counter() - began}
            self.record.add(progress.epoch, step + 1, len(updates), **figures)
            tell({"update_loss": loss, "rate": rate}, first + step + 1)
            losses += loss
            bar.set_postfix_str(f"loss {losses / (step + 1):.4f}{before}", refresh=False)
            if rank() == 0 and time.monotonic() - saved >= self.settings.checkpoint_seconds:
                self.save(TrainingProgress(progress.epoch, step + 1, losses, progress.history))
                saved = time.monotonic()
        return TrainingProgress(progress.epoch, len(updates), losses, progress.history)

    def save(self, progress: TrainingProgress) -> None:
        save_checkpoint(self.checkpoint, self.updates.masters, self.updates.optimizer, progress, self.fingerprint)


def state_of(work: Path) -> Path:
    """Where the state of the training in `work` lies: beside the stage's output, which is published without it.

    A stage that trains several models has a folder for each in its output.
    """
    if work.parent.suffix == ".partial":
        return work.parent.with_suffix(".state") / work.name
    return work.with_suffix(".state")


def _evaluate(model: PeftModel, objective: Objective) -> dict:
    model.eval()
    with torch.no_grad():
        return objective.evaluate()


def _set_aside(work: Path, before: Path) -> None:
    """Empty `work`. What stood there goes with the state folder, when a whole output stands: it may be all there is."""
    if rank() == 0:
        if any(work.glob("epoch_*")):
            shutil.rmtree(before, ignore_errors=True)
            before.parent.mkdir(parents=True, exist_ok=True)
            work.rename(before)
            print(f"training begins anew; the adapters of an earlier one are kept in {before} until then", flush=True)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    wait_for_all()


def _line(figures: dict) -> str:
    """`epoch 1  loss 0.61  eval_loss 1.20  MAP@25, whole catalogue: all 0.31 seen 0.40`"""
    numbers = [f"{key} {figures[key]:.4f}" for key in ("loss", "eval_loss") if key in figures]
    metric = TASK.metric
    parts = [f"{part} {value[metric.key]:.4f}" for part, value in figures.items() if isinstance(value, dict)]
    return "  ".join(
        [
            f"epoch {figures['epoch']}",
            *numbers,
            *([f"{metric.title}, whole catalogue: {' '.join(parts)}"] if parts else []),
        ]
    )
