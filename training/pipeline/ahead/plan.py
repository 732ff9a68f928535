"""Says what a run would do and why, by the judge that runs it; writes nothing."""

from shared.artifacts.manifest import is_whole
from training.pipeline.ahead.prospect import Prospect, describe, notes, prospects, summary
from training.pipeline.ahead.survey import Step, replaced, survey
from training.pipeline.attempt import checkpoint_note
from training.pipeline.chain import checked_chain, overrides_of
from training.run_folder.names import Target
from training.trainer.bases.check import check_bases


def plan(target: Target) -> int:
    """Print of every stage of an iteration and of those before it: done, linked, or run, why, and what it takes.

    The status is 2 where it could not run here, for reasons that are printed last.
    """
    steps = survey(checked_chain(target))
    found = {one.step.out: one for one in prospects(steps)}
    for step in steps:
        if step.runs:
            check_bases(step.settings)
        print(_line(step))
        if step.runs:
            print(f"      {describe(found[step.out])}")
    for line in [*(summary(list(found.values())) if found else ()), *notes(steps, overrides_of(target))]:
        print(f"\n{line}")
    if said := replaced(steps):
        print(f"\nbut {said}: train refuses that; as=NAME stands beside it, --replace loses what is there")
    return _end(list(found.values()))


def _end(found: list[Prospect]) -> int:
    """The status; prints each reason why the plan cannot be carried out here, once."""
    missing = dict.fromkeys(one.missing for one in found if one.missing)
    for reason in missing:
        print(f"\ncannot run here: {reason}")
    return 2 if missing else 0


def _line(step: Step) -> str:
    if step.source:
        return f"link  {step.out}  is that of {step.source.parent}"
    if not step.reasons:
        return f"done  {step.out}"
    reasons = step.reasons if is_whole(step.out) else step.reasons[:1]  # it has no output, whatever else
    reasons = [*reasons, *checkpoint_note(step.run / f".{step.stage.name}.state", step.recipe)]
    return f"run   {step.out}  {'; '.join(reasons)}"
