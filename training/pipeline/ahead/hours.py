"""Estimates how long a stage takes: as long as the same stage with the same base took, else from measured rates."""

from dataclasses import dataclass
from pathlib import Path

from shared.artifacts.lineage import Lineage, read_lineage
from shared.settings.load import RUNS
from shared.settings.sections import Settings
from training.pipeline.ahead.bases import Base
from training.pipeline.ahead.machine import processes_there

MEASURED = 14.77e9  # parameters of the model that the rates below were measured with, on one H200 (docs/hardware.md)
RATES = {  # items in a second
    "train_embedder": 17.2,  # queries
    "train_reranker": 9.55,  # groups
    "mine_for_embedder": 334.0,  # queries
    "mine_for_reranker": 334.0,
    "teach_embedder": 376.0,  # pairs
    "teach_reranker": 376.0,
    "evaluate": 376.0,
}
FIRST_RATE = 25.5  # groups in a second, with the instruction in front of the candidates


@dataclass(frozen=True)
class Estimate:
    """Seconds that a stage takes, None where nothing like it was measured, and where that is known from."""

    seconds: float | None
    source: str = ""


def estimate(stage: str, run: Path, settings: Settings, bases: list[Base], pairs: int) -> Estimate:
    """How long `stage` takes on this machine; `pairs` are the labelled ones of the data, in training and validation."""
    if found := _like_it(stage, run, settings):
        place, made = found
        scale = _work(stage, settings) / (_work(stage, _settings_of(made)) or 1)
        return Estimate(made.seconds * scale, f"as {place} took")
    if stage in RATES and settings.machine.device == "cuda" and bases and all(base.parameters for base in bases):
        rate = FIRST_RATE if _instruction_first(stage, settings) else RATES[stage]
        size, gpus = max(base.parameters for base in bases), processes_there(settings.machine)
        seconds = _work(stage, settings) * pairs * _share(stage, settings) / rate * size / MEASURED / gpus
        return Estimate(seconds, "from rates measured on an H200")
    return Estimate(None)


def _share(stage: str, settings: Settings) -> float:
    """Of the labelled pairs, those that the stage reads: the held-out ones are evaluated, the others trained on."""
    held_out = settings.prepare.held_out
    return {"evaluate": held_out, "train_embedder": 1 - held_out, "train_reranker": 1 - held_out}.get(stage, 1.0)


def _instruction_first(stage: str, settings: Settings) -> bool:
    return stage == "train_reranker" and settings.reranker.instruction_place == "first"


def _work(stage: str, settings: Settings | dict) -> float:
    """Items for each labelled pair: epochs of a training, candidates of a scoring."""
    values = settings if isinstance(settings, dict) else settings.model_dump(mode="json")
    section = values.get(stage) or {}
    if stage == "train_teachers":
        epochs = section.get("epochs") or (values.get("train_reranker") or {}).get("epochs", 1)
        return epochs * max(section.get("parts", 1) - 1, 1)  # each of N learns from at most (N - 1) / N
    if stage.startswith("train_"):
        return section.get("epochs", 1)
    if stage.startswith("teach_"):
        return (values.get(stage.replace("teach_", "mine_for_")) or {}).get("count", 15) + 1
    return section.get("depth", 25) + section.get("extra", 0) if stage == "evaluate" else 1


def _settings_of(made: Lineage) -> dict:
    return made.settings or {}


def _like_it(stage: str, run: Path, settings: Settings) -> tuple[str, Lineage] | None:
    """The output of a like stage, and what its manifest says: of this iteration first, and with the same base."""
    folders = [run / stage, *sorted(RUNS.glob(f"{run.parent.name.partition('@')[0]}*/*/{stage}"))]
    for folder in [*folders, *sorted(RUNS.glob(f"*/*/{stage}"))]:
        try:
            made = read_lineage(folder, "seconds", "settings")
        except ValueError:  # not whole, or damaged
            continue
        if _is_like(made.settings, settings):
            return str(folder), made
    return None


def _is_like(before: dict, settings: Settings) -> bool:
    """Whether the bases, and the data's folder, are the same; rates and seeds take no time."""
    now = settings.model_dump(mode="json")
    for section in ("miner", "embedder", "reranker", "writer"):
        if section in before and (before[section] or {}).get("base") != (now[section] or {}).get("base"):
            return False
    return True
