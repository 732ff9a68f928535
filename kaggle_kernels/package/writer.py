"""Finds the language model that writes for a run's models, and lays it out as a dataset of its own.

It is the merged writer; where that does not exist, since the split holds data out, its base with the adapter beside it;
where no writer was trained, the base alone.
"""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from inference.engines.checks.files import TOKENIZERS, check_tokenizer, read_shapes, tensor_shapes
from inference.engines.writers import check
from inference.writing.shots import SHOTS_FILE
from kaggle_kernels.package.dataset_metadata import read_dataset_metadata
from kaggle_kernels.package.stage_folder import StagedFolder, refuse_without_licence, stage_files
from shared.artifacts import manifest
from shared.prompts.kinds import ROLES
from shared.settings.load import read_settings
from shared.settings.sections import Settings
from shared.task.splits import holds_out

ROLE = "writer"
TRAINED, MERGED = "train_writer", "merge_writer"
ADAPTER = "adapter"  # the folder of the dataset that holds it
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
MODEL_FILES = (  # names in the top folder: what an engine opens, and the terms under which the weights may be passed on
    *("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json"),
    *("quantization_config.json", "quantize_config.json", "preprocessor_config.json", "processor_config.json"),
    *("video_preprocessor_config.json", *TOKENIZERS, "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "merges.txt", "chat_template.jinja", "chat_template.json"),
    *("LICENSE", "LICENSE.*", "NOTICE", "NOTICE.*"),
)


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
    """Raise ValueError where the run has a writer that is not trained, or is not here as an engine could open it."""
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
    files = _model_files(base)
    if base == run / MERGED:
        manifest.verify_manifest(base)
        say(f"{base} goes along as the writer")
        table = manifest.read_manifest(base)
        if files.keys() == table["files"].keys():
            return [stage_files(ROLE, tag, {**files, manifest.MANIFEST: base / manifest.MANIFEST})]
        return [stage_files(ROLE, tag, files, table["lineage"], table["files"])]
    if adapter is not None:
        manifest.verify_manifest(adapter.parents[1])
        files |= {f"{ADAPTER}/{name}": adapter / name for name in ADAPTER_FILES}
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
    """(the folder of a model, the adapter on top of it or None), both of which an engine can open."""
    iteration = run.parent.name.removeprefix("iter")
    trained = settings.train_writer.file
    merged, adapter = run / MERGED, run / TRAINED / "whole" / f"epoch_{settings.train_writer.epochs}"
    needed = [] if not trained else [merged] if not holds_out(run.name) else [run / TRAINED, adapter]
    needed += [run / "explain"] if settings.explain.shots else []
    for folder in needed:
        if not (folder.is_dir() if folder == adapter else manifest.is_whole(folder)):
            raise ValueError(f"{folder} is not there, or not complete: just train iter={iteration} split={run.name}")
    found = (merged, None) if merged in needed else (_base(settings.writer.base), adapter if trained else None)
    _check_opens(*found)
    return found


def _check_opens(base: Path, adapter: Path | None) -> None:
    """Raise ValueError for what no engine could open: no whole model in safetensors, no tokenizer, no such adapter."""
    check.check_writer(base, adapter)
    read_shapes(base)
    check_tokenizer(base)
    if adapter is not None:
        weights = adapter / ADAPTER_FILES[1]
        if not weights.is_file():
            raise ValueError(f"{weights} does not exist: {adapter} holds no adapter in safetensors")
        tensor_shapes(weights)


def _model_files(folder: Path) -> dict[str, Path]:
    """{name: path} of what an engine reads of the model in `folder`; links of the hub's cache are followed."""
    paths = [path for path in sorted(folder.iterdir()) if any(fnmatch(path.name, name) for name in MODEL_FILES)]
    return {path.name: path.resolve() for path in paths if path.is_file()}


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
