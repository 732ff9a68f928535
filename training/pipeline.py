"""Brings whole iterations up to date with DVC: skips what is done, says what changed, goes on after a kill."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from shared.settings import ITERATIONS, RUNS, SPLITS, Settings, load_settings, write_settings
from training.run import competition_digest, die_with_parent
from training.stages import STAGES, inputs_of, stages_of

ROOT = Path(__file__).parent.parent


def train(arguments: list[str]) -> int:
    """Run what is not up to date of an iteration and of those before it. Returns DVC's exit status."""
    target, split, _ = _resolve(arguments)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    repro = [sys.executable, "-m", "dvc", "repro", _dvc_target(target, split)]
    return subprocess.run(repro, cwd=ROOT, env=environment, preexec_fn=die_with_parent).returncode


def plan(arguments: list[str]) -> int:
    """Print, stage by stage, what `train` would run and why."""
    from dvc.repo import Repo

    target, split, chain = _resolve(arguments)
    status = Repo(ROOT).status(targets=[_dvc_target(target, split)], with_deps=True)
    runs: set[Path] = set()
    for iteration, settings in chain:
        for stage in stages_of(split, settings.iteration.previous):
            folder = RUNS / iteration / split / stage.name
            reasons = _reasons(status.get(_dvc_name(iteration, stage.name, split), []))
            reasons += [
                f"{need} runs"
                for need in inputs_of(stage, iteration, settings.iteration.previous, split)
                if need in runs
            ]
            if reasons:
                runs.add(folder)
            if folder.with_name(f".{stage.name}.state").exists():
                reasons.append("goes on from its checkpoint")
            print(
                f"{'run ' if folder in runs else 'done'}  {folder}{'  because ' if reasons else ''}{'; '.join(reasons)}"
            )
    return 0


def settings(arguments: list[str]) -> int:
    """Write the settings of an iteration, and of those before it, into their run folders, and print where."""
    _, split, chain = _resolve(arguments)
    print("\n".join(str(RUNS / iteration / split / "settings.json") for iteration, _ in chain))
    return 0


def report(arguments: list[str]) -> int:
    """Print the stages and figures of an iteration's run, and of those before it."""
    from training.report import print_report

    options = _options(arguments)
    names = [
        iteration for iteration, _ in _chain(_iteration(options.pop("iter", "1")), options.get("split", "cv"), None)
    ]
    print_report([RUNS / name / options.get("split", "cv") for name in names])
    return 0


def clean(arguments: list[str]) -> int:
    """Delete the output of one stage of a run, or the whole run; what was trained is gone then."""
    options = _options(arguments, ("iter", "split", "stage"))
    if "iter" not in options or options.get("stage", "prepare") not in STAGES:
        raise ValueError(f"say iter=N, and stage= one of {', '.join(STAGES)} to delete no more than that")
    run = RUNS / _iteration(options["iter"]) / options.get("split", "cv")
    names = [options["stage"]] if "stage" in options else sorted(path.name for path in run.glob("*"))
    for path in [path for name in names for path in (run / name, run / f".{name}.partial", run / f".{name}.state")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    print(f"deleted {', '.join(names) or 'nothing'} of {run}")
    return 0


def check_data(arguments: list[str]) -> int:
    """Check every file of the competition in path=DIR (default data/eedi) and print its number of rows."""
    from shared.competition import check_competition

    folder = Path(_options(arguments, ("path",)).get("path", "data/eedi"))
    for name, rows in check_competition(folder):
        print(f"{folder / name}  {rows:,} rows, nothing wrong")
    return 0


def render_dvc(iteration: str) -> str:
    """The dvc.yaml of an iteration: STAGES in DVC's words. A test compares the committed file with it."""
    previous = load_settings(iteration).iteration.previous
    run = f"runs/{iteration}/${{item.split}}"
    lines = [
        "# Made by: python -m training.pipeline (from training/stages.py). Paths are from the repository's root.",
        "stages:",
    ]
    for stage in STAGES.values():
        splits = [split for split in SPLITS if stage in stages_of(split, previous)]
        if not splits:
            continue
        deps = [str(path) for path in inputs_of(stage, iteration, previous, "${item.split}")]
        deps = [f"{path}/manifest.json" for path in deps] or [f"{run}/competition.sha256"]
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


def _resolve(arguments: list[str]) -> tuple[str, str, list[tuple[str, Settings]]]:
    """Check the arguments and write the settings that they lead to: of the iteration, and of those before it."""
    overrides = [argument for argument in arguments if "." in argument.partition("=")[0]]
    options = _options([argument for argument in arguments if argument not in overrides])
    split = options.pop("split", "cv")
    if split not in SPLITS:
        raise ValueError(f"split={split}: there are {' and '.join(SPLITS)}")
    if "iter" not in options:
        raise ValueError("say which iteration: iter=1, or iter=small1 for a folder of training/iterations")
    target = _iteration(options.pop("iter"))
    chain = _chain(target, split, overrides)
    for iteration, resolved in chain:
        run = RUNS / iteration / split
        digest = competition_digest(resolved)
        write_settings(resolved, run)
        _write_if_changed(run / "competition.sha256", f"{digest}\n")
    _write_if_changed(RUNS / target / split / "overrides.json", json.dumps(overrides) + "\n")
    return target, split, chain


def _chain(target: str, split: str, overrides: list[str] | None) -> list[tuple[str, Settings]]:
    """(iteration, settings) from the first iteration to `target`; earlier ones keep the overrides of their runs."""
    chain, name = [], target
    while name:
        path = RUNS / name / split / "overrides.json"
        kept = json.loads(path.read_text()) if path.is_file() else []
        resolved = load_settings(name, overrides if name == target and overrides is not None else kept)
        chain.insert(0, (name, resolved))
        name = resolved.iteration.previous
    return chain


def _options(arguments: list[str]) -> dict[str, str]:
    options = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    wrong = [
        argument for argument in arguments if argument.partition("=")[0] not in ("iter", "split") or "=" not in argument
    ]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is none of iter=N, split=cv|full, section.key=value")
    return options


def _iteration(text: str) -> str:
    return f"iter{text}" if text.isdecimal() else text


def _dvc_name(iteration: str, stage: str, split: str) -> str:
    return f"{ITERATIONS}/{iteration}/dvc.yaml:{stage}@{split}"


def _dvc_target(iteration: str, split: str) -> str:
    return _dvc_name(iteration, "evaluate" if split == "cv" else "merge_reranker", split)


def _reasons(changes: list) -> list[str]:
    """DVC's changes in words: [{"changed deps": {file: {"modified": ...}}}] or ["changed command"]."""
    reasons = []
    for change in changes:
        if isinstance(change, str):
            reasons.append(change)
            continue
        for files in change.values():
            for name, how in files.items():
                details = how.items() if isinstance(how, dict) else [("", how)]
                reasons += [
                    f"{key} {state}".strip() if key else f"{name} is {state}" for key, state in _settled(details)
                ]
    return reasons


def _settled(details) -> list[tuple[str, str]]:
    return [
        (key, values) if isinstance(values, str) else (f"{key}: {', '.join(values)}", "") for key, values in details
    ]


def _write_if_changed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


if __name__ == "__main__":
    for params in ITERATIONS.glob("*/params.toml"):
        params.with_name("dvc.yaml").write_text(render_dvc(params.parent.name))
