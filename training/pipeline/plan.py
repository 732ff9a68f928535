"""Says what a run would do and why, by what each finished stage remembers of its making; writes nothing."""

from pathlib import Path

from shared.artifacts.lineage import read_lineage
from shared.artifacts.manifest import digest
from shared.settings.load import RUNS
from shared.settings.sections import Settings
from training.pipeline.inputs import averaged_folders, inputs_of
from training.pipeline.run_stage import competition_digest, is_whole, lasting
from training.pipeline.stages import Stage, stages_of


def print_plan(chain: list[tuple[str, Settings]], split: str) -> None:
    """Print a line for every stage of the iterations in `chain`: done, or run and the reasons."""
    runs: set[Path] = set()
    for iteration, settings in chain:
        for stage in stages_of(split, settings.iteration.previous):
            run = RUNS / iteration / split
            reasons = reasons_to_run(stage, run, settings, runs)
            if reasons:
                runs.add(run / stage.name)
                if (run / f".{stage.name}.state").exists():
                    reasons.append("goes on from its checkpoint")
            print(f"{'run ' if reasons else 'done'}  {run / stage.name}  {'; '.join(reasons)}".rstrip())


def outdated(run: Path) -> str:
    """Which folder that was evaluated in `run` has changed since, in a sentence; "" where none has (or it is gone)."""
    inputs = read_lineage(run / "evaluate", "inputs").inputs.items()
    changed = (path for path, then in inputs if is_whole(Path(path)) and digest(Path(path)) != then)
    return next((f"{run} was evaluated before {path} changed" for path in changed), "")


def reasons_to_run(stage: Stage, run: Path, settings: Settings, runs: set[Path]) -> list[str]:
    """Why `stage` of `run` is not up to date, [] if it is. `runs` are the stages that run before it."""
    inputs = inputs_of(stage, run.parent.name, settings.iteration.previous, run.name)
    inputs += averaged_folders(stage, settings, run)
    ahead = [f"{folder} runs" for folder in inputs if folder in runs]
    if not is_whole(run / stage.name):
        return ["it has no output", *ahead]
    made = read_lineage(run / stage.name, "inputs", "settings")
    now = {folder: digest(folder) for folder in inputs if folder not in runs and is_whole(folder)}
    changed = [f"{folder} changed" for folder, value in now.items() if made.inputs.get(str(folder)) != value]
    if stage.name == "prepare" and made.inputs.get("competition") != competition_digest(settings):
        changed.append(f"{settings.prepare.competition} changed")
    return [*_changed_settings(stage, settings, made.settings), *changed, *ahead]


def _changed_settings(stage: Stage, settings: Settings, made: dict) -> list[str]:
    reasons = []
    for section in stage.sections:
        now, before = (lasting(values[section]) or {} for values in (settings.model_dump(mode="json"), made))
        for key in sorted(now.keys() | before.keys()):
            if now.get(key) != before.get(key):
                reasons.append(f"{section}.{key}: {before.get(key)} -> {now.get(key)}")
    return reasons
