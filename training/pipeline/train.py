"""Brings whole iterations up to date: skips what is done, goes on after a kill, says how far it is."""

from training.launch.stage_process import run_in_process
from training.pipeline.chain import resolve, stages_in, write_settings_of
from training.pipeline.recipe import recipe_of
from training.pipeline.run_stage import run_stage
from training.run_folder.freshness import reasons_to_run
from training.run_folder.names import Target


def train(target: Target) -> int:
    """Run what is not up to date of an iteration and of those before it. The status of a stage that fails, else 0."""
    write_settings_of(target)
    todo, done = stages_in(resolve(target)), 0
    for number, (run, settings, stage) in enumerate(todo, 1):
        if not reasons_to_run(run / stage.name, recipe_of(stage, run, settings)):
            done += 1
            continue
        print(f"\n[{number}/{len(todo)}] {run}/", end="", flush=True)
        if status := run_in_process(run_stage, stage.name, run):
            return status
    print(f"\n{target.run} is up to date: {done} of {len(todo)} stages were", flush=True)
    return 0
