"""Trains a writer on a teacher's texts: LoRA on a causal model, cross-entropy of the text's tokens and of no others.

Lessons of a micro-batch are packed as everything else is. n lessons of an update, A tokens of their texts, D width.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from inference.engines.transformers.engine import device_of, load_causal
from inference.engines.transformers.forward import hidden_in_front, plan_batches, rows_of
from inference.machine.profiles import Profile
from shared.settings.sections import TrainWriter
from shared.task.folds import seed_of
from training.trainer.loop import train
from training.trainer.lora import add_lora
from training.trainer.memory.recompute import fit_memory
from training.trainer.writing.lessons import Lesson, draw_lessons
from training.trainer.writing.token_loss import token_losses


def train_writer(
    base: Path,
    lessons: Sequence[Lesson],
    held_out: Sequence[Lesson],
    settings: TrainWriter,
    out: Path,
    profile: Profile,
) -> list[dict]:
    """Fill `out` with epoch_N/ (adapters) and metrics.json, from where a killed run stopped; the figures by epoch.

    `held_out` lessons are only measured (eval_loss, a token). What makes a checkpoint another run's are the settings
    and the lessons.
    """
    model = load_causal(base, profile.dtype, device_of(profile), packed=profile.packed)
    adapted = add_lora(model, settings.lora, seed=settings.seed)
    fit_memory(model, settings)
    objective = WriterObjective(model, held_out, settings.micro_tokens)
    fingerprint = f"{seed_of(base.name, settings.model_dump_json(), list(lessons)):016x}"

    def epochs(number: int) -> list[list[Lesson]]:
        return draw_lessons(lessons, settings.batch, number, settings.seed)

    return train(adapted, objective, epochs, settings, out, fingerprint)


class WriterObjective:
    """The writer's Objective. `model` is the model with its adapters in place, without peft's wrapper."""

    def __init__(self, model: PreTrainedModel, held_out: Sequence[Lesson], micro_tokens: int):
        self.model, self.held_out, self.micro_tokens = model, held_out, micro_tokens

    def count_tokens(self, lesson: Lesson, seed: str) -> int:
        """See Objective."""
        return len(lesson.prompt) + len(lesson.text)

    def accumulate(
        self, update: list[Lesson], own: Sequence[list[int]], collect: Callable[[], None], seed: str
    ) -> float:
        """See Objective. The loss is the mean over all tokens of the update's texts, wherever they are computed."""
        tokens, losses = sum(len(lesson.text) for lesson in update), []
        for micro in own:
            torch.manual_seed(seed_of(seed, micro[0], "dropout") % 2**63)
            loss = self._total([update[place] for place in micro]) / tokens
            loss.backward()
            collect()
            losses.append(loss.detach())
        return sum(loss.item() for loss in losses)

    def evaluate(self) -> dict:
        """Cross-entropy of a token of the held-out texts."""
        if not self.held_out:
            return {}
        total, tokens, part = 0.0, 0, []
        for lesson in self.held_out:
            part.append(lesson)
            if sum(self.count_tokens(one, "") for one in part) >= self.micro_tokens or lesson is self.held_out[-1]:
                total += self._total(part).item()
                tokens += sum(len(one.text) for one in part)
                part = []
        return {"eval_loss": total / tokens}

    def _total(self, lessons: Sequence[Lesson]) -> torch.Tensor:
        """The sum of the cross-entropies of all tokens of the lessons' texts."""
        rows = [[*lesson.prompt, *lesson.text] for lesson in lessons]
        batches = plan_batches(self.model, rows, sum(map(len, rows)), share=False)
        totals = []
        for batch in batches:
            texts = [lessons[row].text for row in rows_of(batch)]
            counts = torch.tensor([len(text) for text in texts])
            targets_A = torch.tensor([token for text in texts for token in text], device=self.model.device)
            totals.append(token_losses(self.model, hidden_in_front(self.model, batch, counts), targets_A).sum())
        return torch.stack(totals).sum()
