"""Runs a stage as a user sees it: skips what is done, resumes what died, starts torchrun, publishes by one rename."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from shared.artifacts.files import die_with_parent, locked, replace_folder, write_json
from shared.artifacts.lineage import Lineage, read_lineage
from shared.artifacts.manifest import digest, write_manifest
from shared.settings.load import read_settings
from shared.settings.sections import Settings
from training.pipeline.inputs import averaged_folders, inputs_of
from training.pipeline.stages import STAGES, Stage
from training.run_folder.code_version import code_version
from training.run_folder.stage_context import StageContext

TIED = "MALRULE_TIED"
LOCK_SECONDS = 60  # an orphan of a killed run gets its signal at once and needs a moment to end


def run_stage(name: str, run: Path) -> None:
    """Bring runs/ITERATION/SPLIT/`name` up to date. ValueError when an input is missing or the stage fails."""
    settings, stage = read_settings(run), STAGES[name]
    if TIED in os.environ:  # started by `train`; a stage that a person started may outlive the shell
        die_with_parent(signal.SIGTERM)
    lock_file = run / f".{name}.lock"
    held = f"{lock_file} is held: another process runs this stage; wait for it or stop it"
    with locked(lock_file, held, LOCK_SECONDS) as lock:
        fingerprint, inputs = _fingerprint(stage, run, settings)
        out, work, state = run / name, run / f".{name}.partial", run / f".{name}.state"
        if is_done(out, fingerprint):
            shutil.rmtree(state, ignore_errors=True)
            print(f"{name}  up to date", flush=True)
            return
        if not is_done(work, fingerprint):  # a kill may have come between its manifest and the rename below
            print(f"{name}  {run}", flush=True)
            _fill(stage, StageContext(settings, run, work, fingerprint), inputs, lock)
        replace_folder(work, out)
        shutil.rmtree(state, ignore_errors=True)
        print(f"{name}  {read_lineage(out, 'seconds').seconds:.0f} s", flush=True)


def is_whole(out: Path) -> bool:
    """Whether `out` is a whole output: a manifest is written last."""
    return (out / "manifest.json").is_file()


def is_done(out: Path, fingerprint: str) -> bool:
    """Whether `out` is a whole output of this fingerprint."""
    return is_whole(out) and read_lineage(out).fingerprint == fingerprint


def work(name: str, run: Path, fingerprint: str) -> None:
    """Run the stage in a process that torchrun started."""
    die_with_parent(signal.SIGTERM)
    settings = read_settings(run)
    if _fingerprint(STAGES[name], run, settings)[0] != fingerprint:
        raise ValueError(f"{run}/settings.json or an input changed while {name} started: repeat the command")
    _execute_here(STAGES[name], StageContext(settings, run, run / f".{name}.partial", fingerprint))


def _fill(stage: Stage, context: StageContext, inputs: dict[str, str], lock: int) -> None:
    """Make the stage's output in `context.out`, its manifest last."""
    if not stage.trains:  # training resumes in its work folder, everything else starts anew
        shutil.rmtree(context.out, ignore_errors=True)
    context.out.mkdir(parents=True, exist_ok=True)
    _check_machine(context.settings)
    base = _fetch_bases(stage, context.settings)
    version = code_version()  # now: a stage of hours goes on with the code that it started with
    start, before = time.time(), _seconds_before(context, base) if stage.trains else 0.0
    added = _execute(stage, context, lock)
    values = context.settings.model_dump(mode="json")
    lineage = {
        "stage": stage.name,
        "iteration": context.run.parent.name,
        "split": context.run.name,
        "fingerprint": context.fingerprint,
        "seconds": round(before + time.time() - start, 1),
        **version,
        "inputs": inputs,
        "settings": {section: values[section] for section in stage.sections},
        **base,
        **added,
    }
    write_manifest(context.out, Lineage.model_validate(lineage).record())


def _execute(stage: Stage, context: StageContext, lock: int) -> dict:
    processes = _processes(stage, context.settings)
    if processes == 1:
        _use_threads(context.settings)
        return _execute_here(stage, context)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "training", "worker", stage.name, str(context.run), context.fingerprint]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(context.settings.machine.threads),
        "TOKENIZERS_PARALLELISM": "false",
    }
    # torchrun keeps the lock too: if this process is killed, the next one waits until torchrun has ended its workers
    done = subprocess.run(
        command, env=environment, pass_fds=(lock,), preexec_fn=partial(die_with_parent, signal.SIGTERM)
    )
    if done.returncode:
        raise ValueError(
            f"{stage.name} failed in a process of torchrun (its message stands above); repeat the command to go on"
        )
    return {}


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
    """Bring the base models here before several processes ask for them; the digest of what is trained on goes along."""
    from training.run_folder.base_models import local_folder, weights_digest

    lineage = {}
    for section in ("miner", "embedder", "reranker"):
        model = getattr(settings, section) if section in stage.sections else None
        if model is not None:
            folder = local_folder(model.base)
            lineage = {"base_sha256": weights_digest(folder)} if stage.trains else {}
    return lineage


def _processes(stage: Stage, settings: Settings) -> int:
    """Training and stages with an hf engine take every GPU; vLLM and the others are one process."""
    section = getattr(settings, stage.name, None)
    if not (stage.trains or getattr(section, "engine", "") == "hf"):
        return 1
    if settings.machine.processes:
        return settings.machine.processes
    import torch

    return max(torch.cuda.device_count(), 1) if settings.machine.device == "cuda" else 1


def _use_threads(settings: Settings) -> None:
    if settings.machine.device == "cpu":
        import torch

        torch.set_num_threads(settings.machine.threads * max(settings.machine.processes, 1))


def _fingerprint(stage: Stage, run: Path, settings: Settings) -> tuple[str, dict[str, str]]:
    values = settings.model_dump(mode="json")
    sections = {section: lasting(values[section]) for section in stage.sections}
    inputs = {
        str(folder): input_digest(folder)
        for folder in (
            *inputs_of(stage, run.parent.name, settings.iteration.previous, run.name),
            *averaged_folders(stage, settings, run),
        )
    }
    if stage.name == "prepare":
        inputs["competition"] = competition_digest(settings)
    text = json.dumps([stage.name, run.name, sections, inputs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest(), inputs


def lasting(section: dict | None) -> dict | None:
    """The section without what changes no result: how often to save, how much to compute at once."""
    passing = {"checkpoint_seconds", "recompute", "competition"}
    return section and {key: value for key, value in section.items() if key not in passing}


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
    folder, total = Path(settings.prepare.competition), hashlib.sha256()
    for name in ("train.csv", "test.csv", "misconception_mapping.csv"):
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder / name} does not exist: `just data` downloads the competition, "
                "prepare.competition=DIR names another folder"
            )
        total.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return total.hexdigest()


def _seconds_before(context: StageContext, base: dict[str, str]) -> float:
    """Seconds that earlier, killed attempts at this output spent until their last checkpoint; notes this attempt.

    Raises ValueError where their base had other weights: a checkpoint holds adapters alone.
    """
    state, now, before = context.out.with_suffix(".state"), time.time(), 0.0
    note, progress = state / "attempt.json", state / "checkpoint" / "progress.json"
    if note.is_file() and progress.is_file():
        last = json.loads(note.read_text())
        if last["fingerprint"] == context.fingerprint:
            if last.get("base", base) != base:
                raise ValueError(
                    f"the base model's weights are others than when this training began: put the old ones back, or "
                    f"delete {state} to begin anew"
                )
            before = last["before"] + max(progress.stat().st_mtime - last["start"], 0.0)
    state.mkdir(parents=True, exist_ok=True)
    write_json(note, {"fingerprint": context.fingerprint, "start": now, "before": before, "base": base})
    return before
