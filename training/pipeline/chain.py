"""Resolves an iteration and those before it into their settings, and writes these into the run folders."""

import sys
from itertools import pairwise
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shared.artifacts.files import write_json
from shared.prompts.kinds import ROLES
from shared.settings.data import Iteration
from shared.settings.load import RUNS, load_settings, read_settings, write_settings
from shared.settings.sections import Settings
from training.pipeline.inputs import averaged_folders, further_teachers
from training.pipeline.stages import STAGES, Stage, stages_of
from training.run_folder.freshness import competition_digest, input_digest
from training.run_folder.held_out import refuse_learnt
from training.run_folder.names import BESIDE, Target, folder_name, iteration_name

OVERRIDES = "overrides.json"  # beside settings.json: what was said when the run was started

Chain = list[tuple[Path, Settings]]  # (run folder, its settings), the first iteration in front


def resolve(target: Target) -> Chain:
    """The runs from the first iteration to the target's; earlier ones keep the overrides that they were started with.

    Without overrides the target keeps its own too. What is said of the data and the machine goes for all of them.
    A named run stands on earlier runs of its name where there are such or other data is said, and else on plain ones.
    Raises ValueError when two of them hold out different data: a teacher would have seen what the pupil is tested on.
    """
    said = overrides_of(target)
    if wrong := [override for override in said if override.startswith("iteration.")]:
        raise ValueError(f"{wrong[0]!r}: an iteration's place stands in its params.toml; make a new folder for another")
    chain, iteration, name, passed = [], target.iteration, target.name, set[str]()
    while iteration:
        if iteration in passed:
            raise ValueError(
                f"iteration.previous of {iteration} leads back to {iteration}: name an earlier iteration there"
            )
        passed.add(iteration)
        run = RUNS / folder_name(iteration, name) / target.split
        settings = load_settings(iteration, _overrides_in(run, target, said))
        if chain and settings.prepare != chain[0][1].prepare:
            raise ValueError(
                f"[prepare] of {iteration} and {chain[0][0].parent.name} differ: give both the same values"
            )
        if chain and settings.task != chain[0][1].task:
            raise ValueError(f"task of {iteration} and {chain[0][0].parent.name} differ: give both the same")
        previous = settings.iteration.previous
        if previous:
            _check_previous(iteration, previous)
            name = _name_before(run, previous, name, said)
            place = Iteration(previous=folder_name(previous, name))
            settings = settings.model_copy(update={"iteration": place})
        chain.insert(0, (run, settings))
        iteration = previous
    _check_teachers(chain)
    return chain


def overrides_of(target: Target) -> tuple[str, ...]:
    """What is said of the target's settings: a named run keeps what was said before, each key until it is said anew."""
    if target.overrides is None:
        return _kept(target.run)
    if not target.name:
        return target.overrides
    keys = {override.partition("=")[0] for override in target.overrides}
    kept = [override for override in _kept(target.run) if override.partition("=")[0] not in keys]
    return (*kept, *target.overrides)


def stages_in(chain: Chain) -> list[tuple[Path, Settings, Stage]]:
    """(run folder, its settings, stage) of every stage of the chain, in the order in which they run."""
    return [(run, settings, stage) for run, settings in chain for stage in stages_of(run.name, settings)]


def checked_chain(target: Target) -> Chain:
    """The chain. Raises ValueError for what no stage makes and is missing: data, adapters of other splits.

    Also for a base model that has learnt what a run holds out.
    """
    chain = resolve(target)
    for run, settings in chain:
        refuse_learnt(run, settings)
        competition_digest(settings)
        for folder in (folder for stage in STAGES.values() for folder in averaged_folders(stage, run, settings)):
            input_digest(folder)
        for folder in (
            folder for stage in stages_of(run.name, settings) for folder in further_teachers(stage, run, settings)
        ):
            input_digest(folder)
    return chain


def write_settings_of(target: Target) -> list[Path]:
    """Give every run of the target's chain its settings, when all of them are sound; returns the files."""
    chain, said = checked_chain(target), overrides_of(target)
    kept = {run: _overrides_in(run, target, said) for run, _ in chain if run == target.run or BESIDE in run.parent.name}
    for run, settings in chain:
        write_settings(settings, run)
        if run in kept:
            write_json(run / OVERRIDES, kept[run])
    return [run / "settings.json" for run, _ in chain]


def _overrides_in(run: Path, target: Target, said: tuple[str, ...]) -> list[str]:
    """What counts in one run of the target's chain; a named run that is new begins as the plain one was started."""
    if run == target.run:
        return list(said)
    plain = run.parents[1] / run.parent.name.partition(BESIDE)[0] / run.name
    own = _kept(run if (run / OVERRIDES).is_file() else plain)
    return [*(item for item in own if not _is_common(item)), *filter(_is_common, said)]


def _check_teachers(chain: Chain) -> None:
    """Raise ValueError where a stage is to be taught by parts that the iteration before does not train."""
    for (run, before), (_, after) in pairwise(chain):
        for name in (f"teach_{role}" for role in ROLES):
            if getattr(after, name).teacher == "previous_parts" and not before.train_teachers.parts:
                iteration = run.parent.name
                raise ValueError(
                    f"{name}.teacher is previous_parts, and {iteration} trains none: say train_teachers.parts=2 of it "
                    f"first, in its params.toml or with `just train iter={iteration} train_teachers.parts=2`"
                )


def _check_previous(iteration: str, previous: str) -> None:
    try:
        if iteration_name(previous) != previous:
            raise ValueError(f"say the whole name, {iteration_name(previous)}")
    except ValueError as error:
        raise ValueError(f"iteration.previous of {iteration}: {error}") from None


def _name_before(run: Path, previous: str, name: str, said: tuple[str, ...]) -> str:
    """The name under which the iteration before `run` is taken: what it was, or `name` where one is there or needed."""
    if not name or any(override.startswith("prepare.") for override in said):
        return name
    recorded, _, before = _recorded_previous(run).partition(BESIDE)
    if recorded == previous:
        return before
    return name if (RUNS / folder_name(previous, name) / run.name / "settings.json").is_file() else ""


def _recorded_previous(run: Path) -> str:
    """The folder of the iteration before, as the run's settings.json has it; "" where that is absent or damaged."""
    try:
        return read_settings(run).iteration.previous
    except ValueError:
        return ""


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
