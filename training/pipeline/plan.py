"""Says what a run would do and why, by the judge that runs it; writes nothing."""

from pathlib import Path

from training.pipeline.attempt import checkpoint_note
from training.pipeline.chain import checked_chain, stages_in
from training.pipeline.recipe import recipe_of
from training.run_folder.freshness import reasons_to_run
from training.run_folder.names import Target
from training.trainer.bases.check import check_bases


def plan(target: Target) -> int:
    """Print a line for every stage of an iteration and of those before it: done, or run and the reasons."""
    ahead = set[Path]()
    for run, settings, stage in stages_in(checked_chain(target)):
        out, recipe = run / stage.name, recipe_of(stage, run, settings, ahead)
        reasons = reasons_to_run(out, recipe)
        if reasons:
            check_bases(settings)
            ahead.add(out)
            reasons += checkpoint_note(run / f".{stage.name}.state", recipe)
        print(f"{'run ' if reasons else 'done'}  {out}  {'; '.join(reasons)}".rstrip())
    return 0
