"""Resolves an iteration and those before it into their settings, and writes these into the run folders."""

import sys
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shared.artifacts.files import write_json
from shared.settings.load import RUNS, load_settings, write_settings
from shared.settings.sections import Settings
from training.pipeline.inputs import averaged_folders
from training.pipeline.stages import STAGES, Stage, stages_of
from training.run_folder.freshness import competition_digest, input_digest
from training.run_folder.names import Target

OVERRIDES = "overrides.json"  # beside settings.json: what was said when the run was started

Chain = list[tuple[Path, Settings]]  # (run folder, its settings), the first iteration in front


def resolve(target: Target) -> Chain:
    """The runs from the first iteration to the target's; earlier ones keep the overrides that they were started with.

    Without overrides the target keeps its own too. What is said of the data and the machine goes for all of them.
    Raises ValueError when two of them hold out different data: a teacher would have seen what the pupil is tested on.
    """
    said = _kept(target.run) if target.overrides is None else target.overrides
    if wrong := [override for override in said if override.startswith("iteration.")]:
        raise ValueError(f"{wrong[0]!r}: an iteration's place stands in its params.toml; make a new folder for another")
    chain, name = [], target.iteration
    while name:
        run = RUNS / name / target.split
        if any(run == other for other, _ in chain):
            raise ValueError(f"iteration.previous of {name} leads back to {name}: name an earlier iteration there")
        own = said if name == target.iteration else _kept(run)
        settings = load_settings(name, [*(item for item in own if not _is_common(item)), *filter(_is_common, said)])
        if chain and settings.prepare != chain[0][1].prepare:
            raise ValueError(f"[prepare] of {name} and {chain[0][0].parent.name} differ: give both the same values")
        if chain and settings.task != chain[0][1].task:
            raise ValueError(f"task of {name} and {chain[0][0].parent.name} differ: give both the same")
        chain.insert(0, (run, settings))
        name = settings.iteration.previous
    return chain


def stages_in(chain: Chain) -> list[tuple[Path, Settings, Stage]]:
    """(run folder, its settings, stage) of every stage of the chain, in the order in which they run."""
    return [(run, settings, stage) for run, settings in chain for stage in stages_of(run.name, settings)]


def checked_chain(target: Target) -> Chain:
    """The chain. Raises ValueError for what no stage makes and is missing: data, adapters of other splits."""
    chain = resolve(target)
    for run, settings in chain:
        competition_digest(settings)
        for folder in (folder for stage in STAGES.values() for folder in averaged_folders(stage, run, settings)):
            input_digest(folder)
    return chain


def write_settings_of(target: Target) -> list[Path]:
    """Give every run of the target's chain its settings, when all of them are sound; returns the files."""
    chain = checked_chain(target)
    for run, settings in chain:
        write_settings(settings, run)
    write_json(target.run / OVERRIDES, target.overrides or ())
    return [run / "settings.json" for run, _ in chain]


def _kept(run: Path) -> tuple[str, ...]:
    """The overrides that a run was started with."""
    path = run / OVERRIDES
    if not path.is_file():
        return ()
    try:
        return TypeAdapter(tuple[str, ...]).validate_json(path.read_bytes())
    except ValidationError:
        print(
            f"{path} is damaged: it counts as absent; say again what was said when {run} was started",
            file=sys.stderr,
            flush=True,
        )
        return ()


def _is_common(override: str) -> bool:
    return override.startswith(("prepare.", "machine."))
