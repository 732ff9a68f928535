"""Says which folders a stage reads."""

from pathlib import Path

from shared.prompts.kinds import ROLES
from shared.settings.load import RUNS
from shared.settings.sections import Settings
from training.pipeline.stages import Stage, has_writer


def inputs_of(stage: Stage, run: Path, settings: Settings) -> list[Path]:
    """The folders that `stage` of `run` reads, as paths from the repository's root.

    Raises ValueError as `averaged_folders` does.
    """
    previous, folders = settings.iteration.previous, []
    for need in stage.needs:
        if need.teacher and need.teacher != getattr(settings, stage.name).teacher:
            continue
        if need.of_previous:
            folders += [RUNS / previous / run.name / need.stage] if previous else []
        elif need.written and not has_writer(need.stage, settings):
            continue
        else:
            taught = not need.in_first or settings.is_taught(need.stage.removeprefix("teach_"))
            folders.append(run / (need.stage if taught else need.in_first))
    strangers = [*averaged_folders(stage, run, settings), *further_teachers(stage, run, settings)]
    return list(dict.fromkeys([*folders, *strangers]))


def further_teachers(stage: Stage, run: Path, settings: Settings) -> list[Path]:
    """The merged rerankers of other runs that score as well in a stage that teaches."""
    names = getattr(settings, stage.name).further if stage.taught else ()
    return [RUNS / name / run.name / "merge_reranker" for name in names]


def averaged_folders(stage: Stage, run: Path, settings: Settings) -> list[Path]:
    """The folders of other splits whose adapters a merging stage averages in.

    Raises ValueError outside of split full: an adapter of another split was trained on what this one holds out.
    """
    if stage.name not in [f"merge_{role}" for role in ROLES]:
        return []
    splits = getattr(settings, stage.name).average
    if splits and run.name != "full":
        raise ValueError(
            f"{stage.name}.average: {run} holds out data that {splits[0]} was trained on: average in split=full only"
        )
    if len(set(splits)) < len(splits):
        raise ValueError(f"{stage.name}.average: {list(splits)} has a split twice")
    return [run.parent / split / stage.name.replace("merge_", "train_") for split in splits]
