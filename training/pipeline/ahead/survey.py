"""Looks over a chain of runs before anything runs: what is done, linked or made, and what that would replace."""

from dataclasses import dataclass
from pathlib import Path

from shared.artifacts.manifest import digest, is_whole
from shared.settings.sections import Settings
from training.pipeline.chain import Chain, stages_in
from training.pipeline.recipe import recipe_of
from training.pipeline.share import shared_source
from training.pipeline.stages import Stage, stages_of
from training.run_folder.freshness import Recipe, changes, reasons_to_run


@dataclass(frozen=True)
class Step:
    """A stage of a run: up to date without `reasons`; else linked to `source`, the same output, or made."""

    run: Path
    settings: Settings
    stage: Stage
    recipe: Recipe
    reasons: list[str]
    source: Path | None

    @property
    def out(self) -> Path:
        return self.run / self.stage.name

    @property
    def runs(self) -> bool:
        """Whether the stage has to be made."""
        return bool(self.reasons) and self.source is None


def survey(chain: Chain) -> list[Step]:
    """Every stage of the chain, in the order in which they run; nothing is written."""
    ahead, steps = dict[Path, str | None](), []
    for run, settings, stage in stages_in(chain):
        out, recipe = run / stage.name, recipe_of(stage, run, settings, ahead)
        reasons = reasons_to_run(out, recipe)
        source = shared_source(out, recipe) if reasons else None
        if reasons:
            ahead[out] = digest(source) if source else None
        steps.append(Step(run, settings, stage, recipe, reasons, source))
    return steps


def replaced(steps: list[Step]) -> str:
    """What of a finished run other settings or inputs would replace, in a sentence; "" where nothing."""
    for step in steps:
        last = stages_of(step.run.name, step.settings)[-1].name
        if step.reasons and is_whole(step.run / last) and (changed := changes(step.out, step.recipe)):
            what = "evaluated" if last == "evaluate" else "finished"
            return f"{step.run} is {what}, and {changed[0]} would replace {step.stage.name} there and what follows"
    return ""


def refuse_to_replace(steps: list[Step]) -> None:
    """Raise ValueError where a finished run would be replaced, naming both ways out."""
    if said := replaced(steps):
        raise ValueError(f"{said}: add as=NAME for a run that stands beside it, or --replace to lose what is there")
