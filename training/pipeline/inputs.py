"""Says which folders a stage reads."""

from pathlib import Path

from shared.settings.load import RUNS
from shared.settings.sections import Settings
from training.pipeline.stages import Stage


def inputs_of(stage: Stage, iteration: str, previous: str, split: str) -> list[Path]:
    """The folders that `stage` reads, as paths from the repository's root."""
    folders = []
    for need in stage.needs:
        place, _, name = need.rpartition("/")
        if place and not previous:
            continue
        first, _, second = name.partition("|")
        name = second if second and not previous else first
        folders.append(RUNS / (previous if place else iteration) / split / name)
    return list(dict.fromkeys(folders))


def averaged_folders(stage: Stage, settings: Settings, run: Path) -> list[Path]:
    """The folders of other splits whose adapters a merging stage averages in.

    Raises ValueError outside of split full: an adapter of another split was trained on what this one holds out.
    """
    if not stage.name.startswith("merge_"):
        return []
    splits = getattr(settings, stage.name).average
    if splits and run.name != "full":
        raise ValueError(
            f"{stage.name}.average: {run} holds out data that {splits[0]} was trained on: average in split=full only"
        )
    if len(set(splits)) < len(splits):
        raise ValueError(f"{stage.name}.average: {list(splits)} has a split twice")
    return [run.parent / split / stage.name.replace("merge_", "train_") for split in splits]
