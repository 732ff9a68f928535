"""Says what a run would do and why, by the judge that runs it; writes nothing."""

from training.pipeline.ahead.survey import Step, replaced, survey
from training.pipeline.attempt import checkpoint_note
from training.pipeline.chain import checked_chain
from training.run_folder.names import Target
from training.trainer.bases.check import check_bases


def plan(target: Target) -> int:
    """Print a line for every stage of an iteration and of those before it: done, linked, or run and the reasons."""
    steps = survey(checked_chain(target))
    for step in steps:
        if step.runs:
            check_bases(step.settings)
        print(_line(step))
    if said := replaced(steps):
        print(f"\nbut {said}: train refuses that; as=NAME stands beside it, --replace loses what is there")
    return 0


def _line(step: Step) -> str:
    if step.source:
        return f"link  {step.out}  is that of {step.source.parent}"
    if not step.reasons:
        return f"done  {step.out}"
    reasons = [*step.reasons, *checkpoint_note(step.run / f".{step.stage.name}.state", step.recipe)]
    return f"run   {step.out}  {'; '.join(reasons)}"
