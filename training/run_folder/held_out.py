"""Says what a split of the current task holds out, and refuses a base model that has learnt it."""

from pathlib import Path

from shared.artifacts.lineage import Lineage, read_lineage
from shared.artifacts.manifest import MANIFEST
from shared.settings.sections import Settings
from shared.task.current import TASK
from shared.task.splits import DRAWS, holds_out

MODELS = ("miner", "embedder", "reranker", "writer")


def holds_out_misconceptions(split: str) -> bool:
    """Whether whole misconceptions are held out, with every question that carries one, and not questions alone."""
    return split in DRAWS and TASK.holds_out == "misconceptions"


def refuse_learnt(run: Path, settings: Settings) -> None:
    """Raise ValueError for a base that a run of another split trained: it has learnt rows that `run` holds out.

    A base that was trained elsewhere says nothing of its rows, and is taken.
    """
    for name in MODELS if holds_out(run.name) else ():
        section = getattr(settings, name)
        folder = section and Path(section.base)
        if not folder or not (folder / MANIFEST).is_file():
            continue
        made = read_lineage(folder)
        if made.split not in (None, run.name):
            raise ValueError(
                f"{name}.base={folder} was trained by {made.iteration} on split {made.split}, and may have learnt what "
                f"{run} holds out, whose figures would then mean nothing: take the one of split {run.name}"
            )
        if made.split and _other_folds(made, settings):
            raise ValueError(
                f"{name}.base={folder} was trained on other folds than {run} has ([prepare] of {made.iteration} "
                "differs), and may have learnt what is held out here: train it again with the same [prepare]"
            )


def _other_folds(made: Lineage, settings: Settings) -> bool:
    """Whether the model's folds are known, and others."""
    said = (made.all_settings or {}).get("prepare")
    now = settings.prepare.model_dump(mode="json")
    return said is not None and any(key in said and said[key] != now[key] for key in ("held_out", "similar", "seed"))
