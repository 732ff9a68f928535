"""Takes one step of training: gradients of an update's mean, clipped; less at once where memory lacks."""

import gc
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from inference.engines.distributed import lacks_memory_together, rank, sum_over_ranks, world
from inference.engines.transformers.forward import scaled_gradients
from shared.settings.sections import Train
from training.trainer.batches import Group, cut_evenly
from training.trainer.lora import Masters, PeftModel
from training.trainer.memory.fsdp import is_spread


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


class Updates:
    """Takes the steps of a training run: the model's masters, their optimiser, and how many tokens fit at once."""

    def __init__(self, model: PeftModel, objective: Objective, settings: Train):
        self.objective, self.settings, self.micro_tokens = objective, settings, settings.micro_tokens
        self.masters = Masters(model)
        self.optimizer = torch.optim.AdamW([self.masters.weights], lr=settings.rate, weight_decay=settings.weight_decay)
        self.spread = is_spread(model)
        self.tokens = 0  # of the last update, in all processes

    def update(self, groups: list[Group], seed: str, rate: float) -> float:
        """One step on the mean loss of `groups`, which it returns; each process computes its micro-batches."""
        total, norm = self._finite_gradient(groups, seed)
        if not (math.isfinite(norm.item()) and math.isfinite(total)):
            names = ", ".join(group.query_id for group in groups[:3])
            raise ValueError(
                f"the loss is {total}, the gradient's norm {norm.item()} at the update of queries {names}, ...: "
                "lower the rate"
            )
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate
        self.optimizer.step()
        largest = self.masters.weights.abs().max().item()
        if not largest <= torch.finfo(self.masters.live[0].dtype).max:  # written so that NaN is more, too
            raise ValueError(f"a weight of the adapter is {largest} after this update: lower the rate")
        self.masters.publish()
        return total

    def _finite_gradient(self, groups: list[Group], seed: str) -> tuple[float, torch.Tensor]:
        """Collect the update's gradient and clip it; returns the loss and the norm before.

        A model in float16 begins again with half the scale where its gradient overflows, all processes together.
        """
        while True:
            with scaled_gradients(self.masters.scale.value):
                loss = self._gradient(groups, seed)
            sum_over_ranks(self.masters.weights.grad)
            norm = torch.nn.utils.clip_grad_norm_(self.masters.weights, self.settings.clip)
            total = sum_over_ranks(torch.tensor(loss, dtype=torch.float64, device=norm.device)).item()
            if not math.isfinite(total) or self.masters.scale.fits(norm.item()):
                return total, norm
            self.masters.forget_gradient()

    def _gradient(self, groups: list[Group], seed: str) -> float:
        """Collect this process's share of the gradient; returns its share of the loss.

        Where a process has no memory left, all of them begin this update again with micro-batches of half the tokens.
        """
        tokens = [self.objective.count_tokens(group, seed) for group in groups]
        self.tokens = sum(tokens)
        while True:
            micros = cut_evenly(tokens, self.micro_tokens, world())
            try:
                with lacks_memory_together(self.masters.weights.device, alone=self.spread):
                    return self.objective.accumulate(groups, micros[rank() :: world()], self.masters.collect, seed)
            except torch.OutOfMemoryError as error:
                if self.spread:
                    raise
                if len(micros) == len(groups):
                    raise ValueError(f"a group of {max(tokens)} tokens is too much for the memory: {error}") from error
            self._shrink(groups, sum(tokens) // min(2 * len(micros), len(groups)))

    def _shrink(self, groups: list[Group], tokens: int) -> None:
        before, self.micro_tokens = self.micro_tokens, max(tokens, 1)
        self.masters.forget_gradient()
        gc.collect()  # what the error held on to
        if self.masters.weights.device.type == "cuda":
            torch.cuda.empty_cache()
        if rank() == 0:
            print(
                f"out of memory at the update of query {groups[0].query_id}, ...: it begins again with micro-batches "
                f"of {self.micro_tokens} tokens instead of {before}",
                flush=True,
            )
