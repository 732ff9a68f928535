"""Brings whole iterations up to date: skips what is done, goes on after a kill, says how far it is."""

from training.launch.stage_process import run_in_process
from training.pipeline.chain import resolve, write_settings_of
from training.pipeline.recipe import recipe_of
from training.pipeline.stages import stages_of
from training.run_folder.freshness import reasons_to_run
from training.run_folder.names import Target


def train(target: Target) -> int:
    """Run what is not up to date of an iteration and of those before it. The status of a stage that fails, else 0."""
    write_settings_of(target)
    chain = resolve(target)
    todo = [(run, stage) for run, settings in chain for stage in stages_of(run.name, settings.iteration.previous)]
    settings_of = dict(chain)
    done = 0
    for number, (run, stage) in enumerate(todo, 1):
        if not reasons_to_run(run / stage.name, recipe_of(stage, run, settings_of[run])):
            done += 1
            continue
        print(f"\n[{number}/{len(todo)}] {run}/", end="", flush=True)
        if status := run_in_process(stage.name, run):
            return status
    print(f"\n{target.run} is up to date: {done} of {len(todo)} stages were", flush=True)
    return 0
