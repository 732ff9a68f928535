"""Makes an arm of a way to train: a pass over fixed groups, and its gradient beside that of padded rows."""

from collections.abc import Callable, Sequence

import torch

from benchmarks.harness.adapters import clear_gradients, cosine, gradients
from benchmarks.harness.results import Ready
from benchmarks.harness.sides import Trainer, cut

CHECKED_GROUPS = 2  # The loss and gradient of as many are compared.


class Reference:
    """Loss and gradient of the first groups, by a trainer that is only loaded when they are first asked for."""

    def __init__(self, make: Callable[[], Trainer], groups: Sequence):
        self.make, self.groups, self.found = make, groups[:CHECKED_GROUPS], None

    def compare(self, trainer: Trainer, groups: Sequence) -> dict[str, float]:
        """Of the same first groups, as this trainer wants to have them; the loss's error is relative."""
        if self.found is None:
            self.found = _answer(self.make(), self.groups)
        (loss, found), (expected, reference) = _answer(trainer, groups[:CHECKED_GROUPS]), self.found
        return {"loss": loss, "loss_error": abs(loss / expected - 1), "gradient_cosine": cosine(found, reference)}


def ready_to_train(trainer: Trainer, groups: Sequence, size: int, reference: Reference) -> Ready:
    """A pass takes the groups `size` at a time; the optimiser's step (under 1 % of an update) is left out."""
    parts = cut(groups, size)
    batches = [trainer.prepare(part) for part in parts]

    def run(some: Sequence) -> list[torch.Tensor]:
        losses = [trainer.step(batch) for batch in some]
        clear_gradients(trainer.model)
        return losses

    return Ready(
        run=lambda: run(batches),
        warm=lambda: run(batches[:1]),
        share=len(parts[0]) / len(groups),
        check=lambda: reference.compare(trainer, groups),
    )


def _answer(trainer: Trainer, groups: Sequence) -> tuple[float, dict[str, torch.Tensor]]:
    loss = trainer.step(trainer.prepare(groups)).item()
    found = gradients(trainer.model)
    clear_gradients(trainer.model)
    return loss, found
