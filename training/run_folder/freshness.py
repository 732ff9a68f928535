"""Judges whether an output is up to date, and says why not: the one place that does, for running and for planning."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from shared.artifacts.lineage import Lineage, read_lineage
from shared.artifacts.manifest import MANIFEST, digest, is_whole
from shared.prompts.writer import PROMPTS as WRITER_PROMPTS
from shared.settings.sections import Settings
from shared.settings.texts import WRITING_ENGINES
from shared.task.current import TASK, use
from shared.task.eedi import EEDI
from training.run_folder.names import plain_path

COMPETITION = "competition"  # the input of prepare: no folder of ours
REPLAYED = "replayed"  # the file of texts that a stage reads, as it is in the competition's folder
SHOTS = "shots"  # the file of texts of which a writer is shown some as solved examples, likewise
PROMPTS = "prompts"  # with which a writer is asked
CHANGES_NOTHING = {"checkpoint_seconds", "recompute", "competition"}  # settings without a part in the result


@dataclass(frozen=True)
class Recipe:
    """What decides a stage's output: its name, its split, its settings {section: values}, its inputs {folder: digest}.

    An input that has yet to be made has no digest, None; then neither has the recipe.
    """

    stage: str
    split: str
    settings: dict[str, dict | None]
    inputs: dict[str, str | None]

    @property
    def is_known(self) -> bool:
        """Whether all inputs are made."""
        return None not in self.inputs.values()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it, in hex: the same for the named runs of an iteration and its plain one."""
        assert self.is_known, f"an input of {self.stage} is not made yet"
        inputs = {plain_path(folder): value for folder, value in self.inputs.items()}
        text = json.dumps([self.stage, self.split, _lasting(self.settings), inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def reasons_to_run(out: Path, recipe: Recipe) -> list[str]:
    """Why `out` is not what `recipe` makes, a phrase each; [] where it is."""
    ahead = [f"{folder} runs" for folder, value in recipe.inputs.items() if value is None]
    if not is_whole(out):
        return ["it has no output", *ahead]
    try:
        made = read_lineage(out, "fingerprint", "inputs", "settings")
    except ValueError:  # of a version before there were lineages, or damaged: it is made again
        return [f"{out / MANIFEST} does not say what it was made from"]
    if not ahead and made.fingerprint == recipe.fingerprint:
        return []
    return [*_changes(recipe, made), *ahead] or ["another version of malrule made it"]


def changes(out: Path, recipe: Recipe) -> list[str]:
    """Which settings and inputs, as far as these are made, are others than those that a whole `out` was made from."""
    try:
        made = read_lineage(out, "fingerprint", "inputs", "settings")
    except ValueError:  # not whole, or damaged
        return []
    return _changes(recipe, made)


def outdated(run: Path) -> str:
    """Which folder that was evaluated in `run` has changed since, in a sentence; "" where none has (or it is gone)."""
    inputs = read_lineage(run / "evaluate", "inputs").inputs.items()
    changed = (path for path, then in inputs if is_whole(Path(path)) and digest(Path(path)) != then)
    return next((f"{run} was evaluated before {path} changed" for path in changed), "")


def input_digest(folder: Path) -> str:
    """The digest of a stage's output. Raises ValueError where it is not there."""
    if not is_whole(folder):
        raise ValueError(
            f"{folder} is not there yet: python -m training {folder.name} {folder.parent}, "
            "or `just train`, which runs all in order"
        )
    return digest(folder)


def competition_digest(settings: Settings) -> str:
    """SHA-256 over the competition's files. Raises ValueError where one is missing."""
    use(settings.task)
    folder, total = Path(settings.prepare.competition), hashlib.sha256()
    for name in TASK.inputs:
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder / name} does not exist: {_how_to_get(settings.task)}"
                "prepare.competition=DIR names another folder"
            )
        total.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return total.hexdigest()


def _how_to_get(task: str) -> str:
    return "`just data` downloads the competition, " if task == EEDI.name else f"the task {task} reads it; "


def texts_inputs(settings: Settings, stage: str) -> dict[str, str]:
    """What a stage of texts reads beside folders: {name: SHA-256}, of a file or of the prompts of a writer.

    Raises ValueError where the file is missing.
    """
    if stage == "merge_writer":
        return {}
    if stage in ("train_reranker", "train_teachers"):
        train = settings.train_reranker
        used = train.rationale_loss and train.rationale_file
        return {REPLAYED: _file_digest(settings, train.rationale_file, "train_reranker.rationale_file")} if used else {}
    inputs, section = {}, getattr(settings, stage)
    if stage == "train_writer" or section.writer in WRITING_ENGINES:
        inputs[PROMPTS] = hashlib.sha256(repr(sorted(WRITER_PROMPTS.items())).encode()).hexdigest()
    if stage == "train_writer" or section.writer == "replay":
        inputs[REPLAYED] = _file_digest(settings, section.file, f"{stage}.file")
    if stage == "explain" and section.shots:
        inputs[SHOTS] = _file_digest(settings, section.shots_file, "explain.shots_file", "explain.shots=0")
    return inputs


def _file_digest(settings: Settings, name: str, key: str, without: str = "") -> str:
    path = Path(settings.prepare.competition) / name
    if not path.is_file():
        section, nothing = key.partition(".")[0], f"{key}= with nothing behind it"
        off = f"{section}.writer=off" if section in ("explain", "describe") else nothing
        without = f"{without} {nothing}" if without else off
        raise ValueError(f"{path} does not exist: name another {key}, or do without: {without}")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _changes(recipe: Recipe, made: Lineage) -> list[str]:
    inputs = {plain_path(folder): value for folder, value in (made.inputs or {}).items()}
    changed = [
        f"{folder} changed"
        for folder, value in recipe.inputs.items()
        if value and inputs.get(plain_path(folder)) != value
    ]
    return [*_changed_settings(_lasting(recipe.settings), _lasting(made.settings or {})), *changed]


def _lasting(settings: dict[str, dict | None]) -> dict[str, dict | None]:
    """The sections without what changes no result: how often to save, how much to compute at once, where files lie."""
    return {
        section: values and {key: value for key, value in values.items() if key not in CHANGES_NOTHING}
        for section, values in settings.items()
    }


def _changed_settings(now: dict[str, dict | None], before: dict[str, dict | None]) -> list[str]:
    reasons = []
    for section, values in now.items():
        new, old = values or {}, before.get(section) or {}
        reasons += [
            f"{section}.{key}: {old.get(key)} -> {new.get(key)}"
            for key in sorted(new.keys() | old.keys())
            if new.get(key) != old.get(key)
        ]
    return reasons
