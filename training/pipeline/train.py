"""Brings whole iterations up to date with DVC: skips what is done, says what changed, goes on after a kill."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from shared.artifacts.files import die_with_parent
from shared.settings.load import ITERATIONS, RUNS, load_settings, override_settings, read_settings, write_settings
from shared.settings.sections import Settings
from shared.task.splits import SPLITS, holds_out
from training.pipeline.inputs import averaged_folders, inputs_of
from training.pipeline.plan import print_plan
from training.pipeline.run_stage import LOCK_SECONDS, TIED, competition_digest, input_digest
from training.pipeline.stages import STAGES, stages_of

ROOT = Path(__file__).parents[2]
ROLES = ("embedder", "reranker")
QUANTIZE = ("iter", "split", "scheme", "role")


def train(arguments: list[str]) -> int:
    """Run what is not up to date of an iteration and of those before it. 2 when a stage fails."""
    target, split, chain, overrides = _resolve(arguments)
    _write(target, split, chain, overrides)
    _forget_killed_runs(ROOT / ".dvc/tmp/rwlock")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    repro = [sys.executable, "-m", "dvc", "repro", _dvc_target(target, split)]
    tie = partial(die_with_parent, signal.SIGTERM)
    done = subprocess.run(repro, cwd=ROOT, env={**os.environ, "PATH": path, TIED: "1"}, preexec_fn=tie)
    return 2 if done.returncode else 0


def plan(arguments: list[str]) -> int:
    """Print, stage by stage, what `train` would run and why."""
    _, split, chain, _ = _resolve(arguments)
    print_plan(chain, split)
    return 0


def settings(arguments: list[str]) -> int:
    """Write the settings of an iteration, and of those before it, into their run folders, and print where."""
    target, split, chain, overrides = _resolve(arguments)
    _write(target, split, chain, overrides)
    print("\n".join(str(RUNS / iteration / split / "settings.json") for iteration, _ in chain))
    return 0


def report(arguments: list[str]) -> int:
    """Print the stages and figures of an iteration's run, and of those before it; write the run's report.html."""
    from training.analysis.report.page import write_page
    from training.analysis.report.terminal import print_report

    target, split = _target({"iter": "1", **read_options(arguments)})
    runs = [RUNS / name / split for name, _ in _chain(target, split, None)]
    if runs[-1] in print_report(runs):
        print(f"written to {write_page(runs[-1])}")
    else:
        print(f"no report.html: {runs[-1]} has no finished stage yet")
    return 0


def calibrate(arguments: list[str]) -> int:
    """Choose a calibration on the evaluated draws of an iteration, print what it gains, and write it."""
    from training.analysis.calibrate.calibrate import calibrate

    target, _ = _target(read_options(arguments, ("iter",)))
    calibrate(RUNS / target)
    return 0


def quantize(arguments: list[str]) -> int:
    """Quantise the merged models of a run that is there: iter=1 [split=cv] [scheme=awq] [role=reranker] [quantize.x=y].

    The run's other settings stay as they are.
    """
    from training.pipeline.run_stage import run_stage

    options = read_options([text for text in arguments if not text.startswith("quantize.")], QUANTIZE)
    changes = [text for text in arguments if text.startswith("quantize.")]
    if "scheme" in options:
        changes.append(f"quantize.scheme={options.pop('scheme')}")
    role = options.pop("role", "")
    if role not in ("", *ROLES):
        raise ValueError(f"role={role}: it is {' or '.join(ROLES)}, or left out for both")
    run = Path(RUNS, *_target(options))
    write_settings(override_settings(read_settings(run), changes), run)
    for one in ROLES if not role else (role,):
        run_stage(f"quantize_{one}", run)
    return 0


def clean(arguments: list[str]) -> int:
    """Delete the output of one stage of a run, or the whole run; what was trained is gone then."""
    options = read_options(arguments, ("iter", "split", "stage"))
    stage = options.pop("stage", None)
    if stage is not None and stage not in STAGES:
        raise ValueError(f"stage={stage}: there are {', '.join(STAGES)}")
    run = Path(RUNS, *_target(options))
    names = [stage, f".{stage}.partial", f".{stage}.state"] if stage else sorted(path.name for path in run.glob("*"))
    for path in (run / name for name in names):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if stage is None:
        shutil.rmtree(run, ignore_errors=True)
    print(f"deleted {run / stage if stage else run}")
    return 0


def check_data(arguments: list[str]) -> int:
    """Check every file of the competition in path=DIR (default data/eedi) and print its number of rows."""
    from shared.task.competition import check_competition

    folder = Path(read_options(arguments, ("path",)).get("path", "data/eedi"))
    for name, rows in check_competition(folder):
        print(f"{folder / name}  {rows:,} rows, nothing wrong")
    return 0


def render_dvc(iteration: str) -> str:
    """The dvc.yaml of an iteration: STAGES in DVC's words. A test compares the committed file with it."""
    previous = load_settings(iteration).iteration.previous
    run = f"runs/{iteration}/${{item.split}}"
    lines = [
        "# Made by: python -m training.pipeline.train (from stages.py). Paths are from the repository's root.",
        "stages:",
    ]
    for stage in STAGES.values():
        splits = [split for split in SPLITS if stage in stages_of(split, previous)]
        if not splits:
            continue
        deps = [str(path) for path in inputs_of(stage, iteration, previous, "${item.split}")]
        deps = [f"{path}/manifest.json" for path in deps] or [f"{run}/competition.sha256"]
        deps += [f"{run}/averaged.json"] if stage.name.startswith("merge_") else []
        lines += [
            f"  {stage.name}:",
            f"    matrix: {{split: [{', '.join(splits)}]}}",
            "    wdir: ../../..",
            f"    cmd: python -m training {stage.name} {run}",
            "    params:",
            f"    - {run}/settings.json: [{', '.join(stage.sections)}]",
            "    deps:",
            *(f"    - {dep}" for dep in deps),
            "    outs:",
            f"    - {run}/{stage.name}/manifest.json:",
            "        cache: false  # too large to keep twice",
            "        persist: true  # the stage replaces it itself, when the new one is whole",
        ]
    return "\n".join(lines) + "\n"


def iteration_name(text: str) -> str:
    """The folder of training/iterations that `text`, a number or a name, means. ValueError where there is none."""
    name = f"iter{text}" if text.isdecimal() else text
    known = sorted(path.parent.name for path in ITERATIONS.glob("*/params.toml"))
    if name not in known:
        raise ValueError(f"there is no iteration {name!r}; there are: {', '.join(known)}")
    return name


def read_options(arguments: list[str], known: tuple[str, ...] = ("iter", "split")) -> dict[str, str]:
    """{name: value} of arguments `name=value`. ValueError for a name that is not in `known`."""
    for argument in arguments:
        if argument.partition("=")[0] not in known or "=" not in argument:
            raise ValueError(f"{argument!r} is none of {', '.join(f'{name}=...' for name in known)}, section.key=value")
    return dict(argument.split("=", 1) for argument in arguments)


def _resolve(arguments: list[str]) -> tuple[str, str, list[tuple[str, Settings]], list[str]]:
    """(iteration, split, the settings of it and of those before it, overrides) that the arguments ask for."""
    overrides = [argument for argument in arguments if "." in argument.partition("=")[0]]
    if wrong := [override for override in overrides if override.startswith("iteration.")]:
        raise ValueError(f"{wrong[0]!r}: an iteration's place stands in its params.toml; make a new folder for another")
    target, split = _target(read_options([argument for argument in arguments if argument not in overrides]))
    return target, split, _chain(target, split, overrides), overrides


def _target(options: dict[str, str]) -> tuple[str, str]:
    split = options.get("split", "cv")
    if split not in SPLITS:
        raise ValueError(f"split={split}: there are {', '.join(SPLITS)}")
    if "iter" not in options:
        raise ValueError("say which iteration: iter=1, or iter=small1 for a folder of training/iterations")
    return iteration_name(options["iter"]), split


def _write(target: str, split: str, chain: list[tuple[str, Settings]], overrides: list[str]) -> None:
    """Give every run folder its settings, and the digest of the competition's files, for DVC to compare."""
    digests = [competition_digest(resolved) for _, resolved in chain]
    averaged = {iteration: _averaged(RUNS / iteration / split, resolved) for iteration, resolved in chain}
    for (iteration, resolved), digest in zip(chain, digests, strict=True):
        write_settings(resolved, RUNS / iteration / split)
        _write_if_changed(RUNS / iteration / split / "competition.sha256", f"{digest}\n")
        _write_if_changed(RUNS / iteration / split / "averaged.json", averaged[iteration])
    _write_if_changed(RUNS / target / split / "overrides.json", json.dumps(overrides) + "\n")


def _averaged(run: Path, settings: Settings) -> str:
    """The digests of the adapters of other splits that the merging stages of a run average in."""
    folders = [folder for stage in STAGES.values() for folder in averaged_folders(stage, settings, run)]
    return json.dumps({str(folder): input_digest(folder) for folder in folders}) + "\n"


def _chain(target: str, split: str, overrides: list[str] | None) -> list[tuple[str, Settings]]:
    """(iteration, settings) from the first iteration to `target`; earlier ones keep the overrides of their runs.

    Without `overrides` the target keeps its own too. What is said of the data and the machine goes for all of them.
    Raises ValueError when two of them hold out different data: a teacher would have seen what the pupil is tested on.
    """
    said, chain, name = _kept(target, split) if overrides is None else overrides, [], target
    while name:
        own = said if name == target else _kept(name, split)
        resolved = load_settings(name, [*(item for item in own if not _is_common(item)), *filter(_is_common, said)])
        if chain and resolved.prepare != chain[0][1].prepare:
            raise ValueError(f"[prepare] of {name} and {chain[0][0]} differ: give both the same values")
        chain.insert(0, (name, resolved))
        name = resolved.iteration.previous
    return chain


def _kept(iteration: str, split: str) -> list[str]:
    """The overrides that a run was started with."""
    path = RUNS / iteration / split / "overrides.json"
    return json.loads(path.read_text()) if path.is_file() else []


def _is_common(override: str) -> bool:
    return override.startswith(("prepare.", "machine."))


def _forget_killed_runs(lock: Path) -> None:
    """Remove DVC's list of who reads and writes what once nobody in it runs.

    DVC does so itself for processes that are gone, but takes one that is dead and not yet reaped for a running one.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while lock.is_file() and any(map(_runs, re.findall(r'"pid": (\d+)', lock.read_text()))):
        if time.monotonic() > deadline:
            return  # another run, and DVC will name it
        time.sleep(0.5)
    lock.unlink(missing_ok=True)


def _runs(pid: str) -> bool:
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _dvc_name(iteration: str, stage: str, split: str) -> str:
    return f"{ITERATIONS}/{iteration}/dvc.yaml:{stage}@{split}"


def _dvc_target(iteration: str, split: str) -> str:
    return _dvc_name(iteration, "evaluate" if holds_out(split) else "merge_reranker", split)


def _write_if_changed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


if __name__ == "__main__":
    for params in ITERATIONS.glob("*/params.toml"):
        params.with_name("dvc.yaml").write_text(render_dvc(params.parent.name))
