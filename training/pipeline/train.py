"""Brings whole iterations up to date: skips what is done, goes on after a kill, says how far it is."""

from shared.artifacts.locks import locked
from shared.artifacts.verified import check_folder
from training.launch.stage_process import run_in_process
from training.pipeline.ahead.prospect import notes, refuse_impossible
from training.pipeline.ahead.survey import refuse_to_replace, survey
from training.pipeline.chain import checked_chain, overrides_of, stages_in, write_settings_of
from training.pipeline.recipe import recipe_of
from training.pipeline.run_stage import LOCK_SECONDS, run_stage
from training.pipeline.share import share
from training.run_folder.freshness import reasons_to_run
from training.run_folder.names import Target
from training.trainer.bases.check import check_bases

TRAIN_LOCK = ".train.lock"  # in a run folder


def train(target: Target, verify: bool = False, replace: bool = False) -> int:
    """Run what is not up to date of an iteration and of those before it. The status of a stage that fails, else 0.

    What another run of the iteration has is linked. Raises ValueError for an output whose files are not what they were
    when it was made, where `verify` hashes all of them; and where a finished run would be replaced, unless `replace`.
    """
    chain, lock = checked_chain(target), target.run / TRAIN_LOCK
    steps = survey(chain)
    if not replace:
        refuse_to_replace(steps)
    refuse_impossible(steps)
    for note in notes(steps, overrides_of(target)):
        print(note, flush=True)
    todo, done = stages_in(chain), 0
    with locked(lock, f"{lock} is held: another command trains this run; wait for it or stop it", LOCK_SECONDS):
        write_settings_of(target)
        for number, (run, settings, stage) in enumerate(todo, 1):
            recipe = recipe_of(stage, run, settings)
            if not reasons_to_run(run / stage.name, recipe):
                check_folder(run / stage.name, hash_all=verify)
                done += 1
                continue
            if source := share(run, settings, recipe):
                print(f"[{number}/{len(todo)}] {run}/{stage.name}  is that of {source.parent}: linked", flush=True)
                continue
            check_bases(settings)
            print(f"\n[{number}/{len(todo)}] {run}/", end="", flush=True)
            if status := run_in_process(run_stage, stage.name, run, recipe.fingerprint):
                return status
    print(f"\n{target.run} is up to date: {done} of {len(todo)} stages were", flush=True)
    return 0
