"""Brings whole iterations up to date: skips what is done, goes on after a kill, says how far it is."""

from shared.artifacts.locks import locked
from shared.artifacts.verified import check_folder
from training.launch.machines.lead import leading
from training.launch.machines.roster import open_roster
from training.launch.stage_process import run_in_process
from training.pipeline.ahead.end import closing_lines
from training.pipeline.ahead.prospect import notes, refuse_impossible, time_left
from training.pipeline.ahead.survey import Step, refuse_to_replace, survey
from training.pipeline.chain import checked_chain, overrides_of, resolve, write_settings_of
from training.pipeline.machines.follow import follow
from training.pipeline.recipe import recipe_of
from training.pipeline.run_stage import LOCK_SECONDS, run_stage
from training.pipeline.share import share
from training.run_folder.freshness import reasons_to_run
from training.run_folder.names import Target
from training.trainer.bases.check import check_bases
from training.trainer.figures.tracker import check_tracker

TRAIN_LOCK = ".train.lock"  # in a run folder


def train(target: Target, verify: bool = False, replace: bool = False, tell: bool = True) -> int:
    """Run what is not up to date of an iteration and of those before it. The status of a stage that fails, else 0.

    What another run of the iteration has is linked, and what the run reached is printed if it is to `tell`. Where
    several machines train together, the one that is not to lead takes part in what the other offers, and no more.
    Raises ValueError for an output whose files are not what they were when it was made, where `verify` hashes all of
    them; where a finished run would be replaced, unless `replace`; and where another machine is lost.
    """
    machine = resolve(target)[-1][1].machine
    if machine.nodes == 1:
        return _train(target, verify, replace, tell)
    roster = open_roster(machine)
    if not roster.leads:
        return follow(roster)
    with leading(roster, target.run) as ended:
        ended.append(_train(target, verify, replace, tell))
    return ended[-1]


def _train(target: Target, verify: bool, replace: bool, tell: bool) -> int:
    steps, lock = survey(checked_chain(target)), target.run / TRAIN_LOCK
    if not replace:
        refuse_to_replace(steps)
    refuse_impossible(steps)
    for step in steps:
        if step.runs:
            check_bases(step.settings)
            check_tracker(step.settings.machine)
    for note in notes(steps, overrides_of(target)):
        print(note, flush=True)
    held = f"another command trains {target.run}; wait for it or stop it"
    with locked(lock, held, LOCK_SECONDS, for_orphans=True):
        write_settings_of(target)
        status, done = _run(steps, verify)
    if status:
        return status
    print(f"\n{target.run} is up to date: {done} of {len(steps)} stages were", flush=True)
    for line in closing_lines(target.run) if tell else ():
        print(line, flush=True)
    return 0


def _run(steps: list[Step], verify: bool) -> tuple[int, int]:
    """(status of the stage that failed, else 0; how many were up to date)."""
    done = 0
    for number, (run, settings, stage) in enumerate([(step.run, step.settings, step.stage) for step in steps], 1):
        recipe, heading = recipe_of(stage, run, settings), f"stage {number} of {len(steps)}"
        if not reasons_to_run(run / stage.name, recipe):
            check_folder(run / stage.name, hash_all=verify)
            done += 1
            continue
        if source := share(run, settings, recipe):
            print(f"{heading}  {run}/{stage.name}  is that of {source.parent}: linked", flush=True)
            continue
        check_bases(settings)
        print(f"\n{heading}{time_left(steps[number - 1 :])}  {run}/", end="", flush=True)
        if status := run_in_process(run_stage, stage.name, run, recipe.fingerprint):
            return status, done
    return 0, done
