"""Says what decides a stage's output: its settings and the digests of what it reads."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from shared.settings.sections import Settings
from shared.task.current import find_task
from training.pipeline.inputs import inputs_of
from training.pipeline.stages import TEACHERS, Stage
from training.run_folder.freshness import (
    COMPETITION,
    Recipe,
    competition_digest,
    input_digest,
    texts_inputs,
)
from training.run_folder.teachers import training_of


def recipe_of(
    stage: Stage, run: Path, settings: Settings, ahead: Mapping[Path, str | None] = MappingProxyType({})
) -> Recipe:
    """The recipe of `stage` in `run`; `ahead` {folder: digest} are those that will have been made anew when it runs.

    The digest is None where nobody knows it yet.

    Raises ValueError where an input that is not `ahead` is missing.
    """
    values = settings.model_dump(mode="json")
    inputs: dict[str, str | None] = {
        str(folder): ahead[folder] if folder in ahead else input_digest(folder)
        for folder in inputs_of(stage, run, settings)
    }
    if stage.name == "prepare":
        inputs[COMPETITION] = competition_digest(settings)
    if stage.name == TEACHERS:  # which learn from labels alone: how the reranker is taught decides nothing of them
        values["train_reranker"] = training_of(settings).model_dump(mode="json")
    if stage.writes or stage.name in ("train_reranker", TEACHERS):
        inputs |= texts_inputs(settings, stage.name)
    sections = {section: values[section] for section in stage.sections}
    return Recipe(stage.name, run.name, sections | _of_task(stage, settings.task), inputs)


def _of_task(stage: Stage, name: str) -> dict[str, dict]:
    """What of the task's definition decides the stage; {} where that is code, as Eedi's."""
    task = find_task(name)
    if not task.reads:
        return {}
    if stage.name == "prepare":
        return {"task": {"name": name, **task.reads}}
    measures = stage.trains or "evaluate" in stage.sections
    return {"task": {"metric": task.metric.key}} if measures else {}
