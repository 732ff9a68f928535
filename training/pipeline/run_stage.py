"""Runs a stage as a user sees it: skips what is up to date, resumes what died, publishes by one rename."""

import shutil
import signal
import time
from pathlib import Path

from shared.artifacts.files import remove_partials, replace_folder
from shared.artifacts.lineage import Lineage, read_lineage
from shared.artifacts.locks import die_with_parent, locked
from shared.artifacts.manifest import is_whole, write_manifest
from shared.artifacts.verified import check_folder, note_as_listed
from shared.settings.load import read_settings
from shared.settings.sections import Settings
from shared.task.current import use
from shared.task.eedi import EEDI
from training.launch.torchrun import launch_worker, processes_of
from training.pipeline.attempt import note_attempt
from training.pipeline.inputs import inputs_of
from training.pipeline.recipe import recipe_of
from training.pipeline.stages import STAGES, Stage
from training.run_folder.base_models import local_folder, weights_digest
from training.run_folder.code_version import code_version
from training.run_folder.freshness import Recipe, reasons_to_run
from training.run_folder.stage_context import StageContext
from training.trainer.base_checks import check_bases

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
        replace_folder(work, out)
        shutil.rmtree(state, ignore_errors=True)
        print(f"{name}  {read_lineage(out, 'seconds').seconds:.0f} s", flush=True)


def work(name: str, run: Path, fingerprint: str) -> None:
    """Run the stage in a process that torchrun started, and end with torchrun."""
    die_with_parent(signal.SIGTERM)
    settings, stage = _begin(name, run)
    _check_unchanged(recipe_of(stage, run, settings), run, fingerprint)
    _execute_here(stage, StageContext(settings, run, run / f".{name}.partial", fingerprint))


def _begin(name: str, run: Path) -> tuple[Settings, Stage]:
    """The settings of the run, whose task this process is about from now on, and the stage."""
    settings = read_settings(run)
    use(settings.task)
    return settings, STAGES[name]


def _check_unchanged(recipe: Recipe, run: Path, fingerprint: str | None) -> None:
    if fingerprint not in (None, recipe.fingerprint):
        raise ValueError(f"{run}/settings.json or an input changed while {recipe.stage} started: repeat the command")


def _fill(stage: Stage, context: StageContext, recipe: Recipe, lock: int) -> None:
    """Make the stage's output in `context.out`, its manifest last."""
    if not stage.trains:  # training resumes in its work folder, everything else starts anew
        shutil.rmtree(context.out, ignore_errors=True)
    context.out.mkdir(parents=True, exist_ok=True)
    remove_partials(context.out)
    _check_machine(context.settings)
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
    # training and stages with an hf engine take every GPU; vLLM and the others are one process
    shared = stage.trains or (stage.has_engine and getattr(context.settings, stage.name).engine == "hf")
    processes = processes_of(machine) if shared else 1
    if processes > 1:
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

    with joined_ranks(context.settings.machine.device):
        return stage.run(context) or {}


def _check_machine(settings: Settings) -> None:
    """Raise ValueError when the settings ask for a device that is not there, before anything is loaded."""
    from inference.machine.profiles import load_profile

    machine = settings.machine
    if load_profile(machine.profile).device != machine.device:
        raise ValueError(f"machine.device is {machine.device}, and machine.profile {machine.profile} is for another")
    if machine.device == "cuda":
        import torch

        there = torch.cuda.device_count()
        if there < max(machine.processes, 1):
            raise ValueError(
                f"machine asks for {max(machine.processes, 1)} GPUs and {there} are there; for a CPU: "
                "machine.device=cpu machine.profile=cpu machine.processes=2 (and small models)"
            )


def _fetch_bases(stage: Stage, settings: Settings) -> dict[str, str]:
    """Bring the base models here before several processes ask for them.

    Returns the digest of the one that a stage trains, which belongs into its lineage; {} for other stages.
    """
    sections = {"miner": settings.miner, "embedder": settings.embedder, "reranker": settings.reranker}
    models = [model for section, model in sections.items() if section in stage.sections and model is not None]
    folders = [local_folder(model.base) for model in models]
    check_bases(settings)
    if not stage.trains:
        return {}
    [folder] = folders  # what is trained has one base
    return {"base_sha256": weights_digest(folder)}
