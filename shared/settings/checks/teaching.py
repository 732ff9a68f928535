"""Refuses settings of losses and teachers that do not go together, with the way out."""

import re

from shared.prompts.kinds import ROLES
from shared.settings.sections import Settings

RUN = re.compile(r"\w[\w.-]*(@[a-z0-9-]+)?")


def check_teaching(settings: Settings, source: str) -> None:
    """Raise ValueError naming the key of `source` that asks for what nobody could do."""
    for name in ROLES:
        _check_teacher(settings, name, source)
        _check_losses(settings, name, source)
        _check_margin(settings, name, source)
    reranker = settings.train_reranker
    if reranker.label_smoothing and reranker.loss != "cross_entropy":
        raise ValueError(
            f"{source}: train_reranker.label_smoothing: {reranker.label_smoothing} belongs to loss=cross_entropy, and "
            f"train_reranker.loss is {reranker.loss}: say label_smoothing=0"
        )


def _check_teacher(settings: Settings, name: str, source: str) -> None:
    teach = getattr(settings, f"teach_{name}")
    if teach.teacher == "previous_parts" and not settings.iteration.previous:
        raise ValueError(f"{source}: teach_{name}.teacher: previous_parts needs iteration.previous, which is empty")
    if teach.teacher == "own_parts" and not settings.train_teachers.parts:
        raise ValueError(f"{source}: teach_{name}.teacher: own_parts needs some: say train_teachers.parts=2, or more")
    for run in teach.further:
        if not RUN.fullmatch(run):
            raise ValueError(f"{source}: teach_{name}.further: {run!r} is no run of an iteration, such as iter0@slow")


def _check_losses(settings: Settings, name: str, source: str) -> None:
    train = getattr(settings, f"train_{name}")
    if not train.label_weight and not train.distill:
        raise ValueError(
            f"{source}: train_{name}.label_weight: 0 leaves nothing to learn from, since distill is 0 too: raise either"
        )
    if train.distill_temperature != 1 and train.distill_loss != "kl":
        raise ValueError(
            f"{source}: train_{name}.distill_temperature: {train.distill_temperature} belongs to distill_loss=kl, and "
            f"train_{name}.distill_loss is {train.distill_loss}: leave it out"
        )


def _check_margin(settings: Settings, name: str, source: str) -> None:
    teach, needed = getattr(settings, f"teach_{name}"), getattr(settings, f"train_{name}").group - 1
    if teach.margin is not None and teach.least < needed:
        raise ValueError(
            f"{source}: teach_{name}.least: {teach.least} negatives may be left of a query, and train_{name}.group "
            f"needs {needed}: say teach_{name}.least={needed}"
        )
