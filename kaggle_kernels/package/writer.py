"""Finds the language model that writes for a run's models, and lays it out as a dataset of its own.

It is the merged writer; where that does not exist, since the split holds data out, its base with the adapter beside it;
where no writer was trained, the base alone.
"""

from collections.abc import Callable
from pathlib import Path

from inference.writing.shots import SHOTS_FILE
from kaggle_kernels.package.dataset_metadata import read_dataset_metadata
from kaggle_kernels.package.stage_folder import StagedFolder, model_files, refuse_without_licence, stage_files
from shared.artifacts import manifest
from shared.prompts.kinds import ROLES
from shared.settings.load import read_settings
from shared.settings.sections import Settings
from shared.task.splits import holds_out

ROLE = "writer"
TRAINED, MERGED = "train_writer", "merge_writer"
ADAPTER = "adapter"  # the folder of the dataset that holds it


def writer_settings(run: Path) -> Settings | None:
    """The settings of a run that has a writer whose rationales its models read; None for any other run."""
    if not (run / "settings.json").is_file():  # models that somebody brought here without the run that made them
        return None
    settings = read_settings(run)
    reads = any(getattr(settings, role).rationale != "none" for role in ROLES)
    return settings if reads and settings.writer is not None else None


def writer_slug(run: Path, tag: str) -> str:
    """The slug of the dataset of the run's writer, "" for a run that has none."""
    return read_dataset_metadata(ROLE, tag).slug if writer_settings(run) else ""


def check_writer(run: Path) -> None:
    """Raise ValueError where the run has a writer that is not trained, or whose base is not here."""
    if settings := writer_settings(run):
        _folders(run, settings)


def stage_writer(run: Path, tag: str, public: bool, say: Callable) -> list[StagedFolder]:
    """The run's writer as a staged folder, none for a run that has no writer; a line says which one it is.

    Raises ValueError naming what is missing, not allowed, or a secret.
    """
    settings = writer_settings(run)
    if settings is None:
        return []
    shots = run / "explain" / SHOTS_FILE
    if public:
        _refuse_in_public(shots)
    base, adapter = _folders(run, settings)
    if base == run / MERGED:
        manifest.verify_manifest(base)
        say(f"{base} goes along as the writer")
        return [stage_files(ROLE, tag, model_files(base))]
    files = model_files(base)
    files.pop(manifest.MANIFEST, None)  # it would be the folder's own, and not list the adapter
    if adapter is not None:
        manifest.verify_manifest(adapter.parents[1])
        files |= {f"{ADAPTER}/{name}": path for name, path in model_files(adapter).items()}
    if settings.explain.shots:
        files[SHOTS_FILE] = shots
    say(f"{base} goes along as the writer{f', with {adapter}' if adapter else ''}")
    lineage = {"stage": ROLE, "base": settings.writer.base, "split": run.name, "iteration": run.parent.name}
    return [stage_files(ROLE, tag, files, lineage)]


def _refuse_in_public(shots: Path) -> None:
    refuse_without_licence(ROLE)
    if shots.is_file():
        raise ValueError(f"{shots} quotes items of the competition, whose rules forbid that: push without --public")


def _folders(run: Path, settings: Settings) -> tuple[Path, Path | None]:
    """(the folder of a model, the adapter on top of it or None)."""
    iteration = run.parent.name.removeprefix("iter")
    trained = settings.train_writer.file
    merged, adapter = run / MERGED, run / TRAINED / "whole" / f"epoch_{settings.train_writer.epochs}"
    needed = [] if not trained else [merged] if not holds_out(run.name) else [run / TRAINED, adapter]
    needed += [run / "explain"] if settings.explain.shots else []
    for folder in needed:
        if not (folder.is_dir() if folder == adapter else manifest.is_whole(folder)):
            raise ValueError(f"{folder} is not there, or not complete: just train iter={iteration} split={run.name}")
    if merged in needed:
        return merged, None
    return _base(settings.writer.base), adapter if trained else None


def _base(base: str) -> Path:
    """The folder of a base model that is on this machine already."""
    if Path(base).is_dir():
        return Path(base)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name, _, revision = base.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        raise ValueError(
            f"writer.base: {base} is neither a folder nor among the models that the hub's client keeps here: it is "
            "there after the stage explain has run on this machine"
        ) from None
