"""Runs a stage as a user sees it: skips what is up to date, resumes what died, publishes by one rename."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.artifacts.files import remove_partials, replace_folder
from shared.artifacts.json_files import read_json
from shared.artifacts.lineage import Lineage, read_lineage
from shared.artifacts.locks import die_with_parent, locked
from shared.artifacts.manifest import is_whole, read_manifest, write_manifest
from shared.artifacts.verified import check_folder, note_as_listed
from shared.settings.load import read_settings
from shared.settings.sections import Settings
from shared.task.current import use
from shared.task.eedi import EEDI
from training.launch.torchrun import launch_worker, processes_of
from training.pipeline.ahead.machine import refuse_machine
from training.pipeline.attempt import note_attempt
from training.pipeline.inputs import inputs_of
from training.pipeline.recipe import recipe_of
from training.pipeline.stages import STAGES, Stage
from training.run_folder.base_models import local_folder, weights_digest
from training.run_folder.code_version import code_version
from training.run_folder.freshness import Recipe, reasons_to_run
from training.run_folder.stage_context import StageContext
from training.trainer.bases.check import check_bases
from training.trainer.figures.tracker import tell, tracking

LOCK_SECONDS = 60  # An orphan of a killed run gets its signal at once and needs a moment to end.


def run_stage(name: str, run: Path, fingerprint: str | None = None) -> None:
    """Bring runs/ITERATION/SPLIT/`name` up to date.

    Raises ValueError when an input is missing, the stage fails, or it is not `fingerprint` that would be made.
    """
    settings, stage = _begin(name, run)
    held = run / f".{name}.lock"
    with locked(held, f"{held} is held: another process runs this stage; wait for it or stop it", LOCK_SECONDS) as lock:
        recipe = recipe_of(stage, run, settings)
        _check_unchanged(recipe, run, fingerprint)
        out, work, state = run / name, run / f".{name}.partial", run / f".{name}.state"
        reasons = reasons_to_run(out, recipe)
        if not reasons:
            shutil.rmtree(state, ignore_errors=True)
            print(f"{name}  up to date", flush=True)
            return
        if is_whole(out):
            print(f"{name}  made again: {'; '.join(reasons)}", flush=True)
        if reasons_to_run(work, recipe):  # else a kill came between its manifest and the rename below
            print(f"{name}  {stage.meaning}", flush=True)
            _fill(stage, StageContext(settings, run, work, recipe.fingerprint), recipe, lock)
        remove_partials(work)  # of a note that a kill tore, behind the manifest
        replace_folder(work, out)
        shutil.rmtree(state, ignore_errors=True)
        if name == "evaluate":
            _note_settings(run / "merge_reranker", settings)
        print(f"{name}  {read_lineage(out, 'seconds').seconds:.0f} s", flush=True)


def work(name: str, run: Path, fingerprint: str) -> None:
    """Run the stage in a process that torchrun started, and end with torchrun."""
    die_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the command itself says that it was stopped
    settings, stage = _begin(name, run)
    _check_unchanged(recipe_of(stage, run, settings), run, fingerprint)
    _execute_here(stage, StageContext(settings, run, run / f".{name}.partial", fingerprint))


def _begin(name: str, run: Path) -> tuple[Settings, Stage]:
    """The settings of the run, whose task this process is about from now on, and the stage."""
    settings = read_settings(run)
    use(settings.task)
    return settings, STAGES[name]


def _note_settings(folder: Path, settings: Settings) -> None:
    """Have a model's manifest say how it was evaluated, where that was changed after the model was merged."""
    manifest = read_manifest(folder)
    said = Lineage.model_validate({**manifest["lineage"], "all_settings": settings.model_dump(mode="json")}).record()
    if said != manifest["lineage"]:
        write_manifest(folder, said, known=manifest["files"])


def _check_unchanged(recipe: Recipe, run: Path, fingerprint: str | None) -> None:
    if fingerprint not in (None, recipe.fingerprint):
        raise ValueError(f"{run}/settings.json or an input changed while {recipe.stage} started: repeat the command")


def _fill(stage: Stage, context: StageContext, recipe: Recipe, lock: int) -> None:
    """Make the stage's output in `context.out`, its manifest last."""
    if not stage.trains:  # training resumes in its work folder, everything else starts anew
        shutil.rmtree(context.out, ignore_errors=True)
    context.out.mkdir(parents=True, exist_ok=True)
    remove_partials(context.out)
    refuse_machine(stage, context.settings)
    for folder in inputs_of(stage, context.run, context.settings):
        check_folder(folder)
    base = _fetch_bases(stage, context.settings)
    version = code_version()  # now: a stage of hours goes on with the code that it started with
    start, before = time.time(), note_attempt(context, base) if stage.trains else 0.0
    added = _execute(stage, context, lock)
    lineage = {
        "stage": stage.name,
        **({} if context.settings.task == EEDI.name else {"task": context.settings.task}),
        "iteration": context.run.parent.name,
        "split": context.run.name,
        "fingerprint": context.fingerprint,
        "seconds": round(before + time.time() - start, 1),
        **version,
        "inputs": recipe.inputs,
        "settings": recipe.settings,
        **base,
        **added,
    }
    write_manifest(context.out, Lineage.model_validate(lineage).record())
    note_as_listed(context.out)


def _execute(stage: Stage, context: StageContext, lock: int) -> dict:
    machine = context.settings.machine
    processes = processes_of(machine) if stage.shared(context.settings) else 1
    if processes > 1 or (machine.nodes > 1 and stage.shared(context.settings)):
        words = ["worker", stage.name, str(context.run), context.fingerprint]
        if launch_worker(words, machine, lock):
            raise ValueError(
                f"{stage.name} failed in a process of torchrun (its message stands above); repeat the command to go on"
            )
        return {}
    if machine.device == "cpu":
        import torch

        torch.set_num_threads(machine.threads * max(machine.processes, 1))
    return _execute_here(stage, context)


def _execute_here(stage: Stage, context: StageContext) -> dict:
    from inference.engines.distributed import joined_ranks

    settings = context.settings
    with joined_ranks(settings.machine.device if stage.has_model else "cpu"), _tracked(stage, context):
        return stage.run(context) or {}


@contextmanager
def _tracked(stage: Stage, context: StageContext) -> Iterator[None]:
    """Send the figures of a training, and of an evaluation, to the tracker; from one process."""
    from inference.engines.distributed import rank

    if rank() or not (stage.trains or stage.name == "evaluate"):
        yield
        return
    values = context.settings.model_dump(mode="json")
    name = f"{context.run.parent.name}/{context.run.name}/{stage.name}"
    with tracking(context.settings.machine, name, {section: values[section] or {} for section in stage.sections}):
        yield
        if stage.name == "evaluate":
            tell(read_json(context.out / "metrics.json"), 0)


def _fetch_bases(stage: Stage, settings: Settings) -> dict[str, str]:
    """Bring the base models here before several processes ask for them.

    Returns the digest of the one that a stage trains, which belongs into its lineage; {} for other stages.
    """
    models = [getattr(settings, name) for name in ("miner", "embedder", "reranker", "writer") if name in stage.sections]
    folders = [local_folder(model.base) for model in models if model is not None]
    check_bases(settings)
    if not stage.trains:
        return {}
    [folder] = folders  # what is trained has one base
    return {"base_sha256": weights_digest(folder)}
