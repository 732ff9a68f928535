"""Says what a run would do and why, by the judge that runs it; writes nothing."""

from pathlib import Path

from training.pipeline.chain import check_inputs, resolve, stages_in
from training.pipeline.recipe import recipe_of
from training.run_folder.freshness import reasons_to_run
from training.run_folder.names import Target


def plan(target: Target) -> int:
    """Print a line for every stage of an iteration and of those before it: done, or run and the reasons."""
    chain, ahead = resolve(target), set[Path]()
    for run, settings in chain:
        check_inputs(run, settings)
    for run, settings, stage in stages_in(chain):
        out = run / stage.name
        reasons = reasons_to_run(out, recipe_of(stage, run, settings, ahead))
        if reasons:
            ahead.add(out)
        if reasons and (run / f".{stage.name}.state").exists():
            reasons.append("goes on from its checkpoint")
        print(f"{'run ' if reasons else 'done'}  {out}  {'; '.join(reasons)}".rstrip())
    return 0
