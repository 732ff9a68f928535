"""Brings a run up to date as far as one stage, in the folder in which it is called.

    python -m benchmarks.quality.stages STAGE iter=NAME split=NAME [as=NAME] [section.key=value ...]

What another run of the iteration has is linked, as `just train` does.
"""

import sys

from training.pipeline.chain import checked_chain, stages_in, write_settings_of
from training.pipeline.recipe import recipe_of
from training.pipeline.run_stage import run_stage
from training.pipeline.share import share
from training.run_folder.freshness import reasons_to_run
from training.run_folder.names import read_target


def main(last: str, words: list[str]) -> None:
    """Run every stage of the chain, the one called `last` in the iteration meant being the last."""
    said = dict(word.split("=", 1) for word in words if "." not in word.split("=")[0])
    target = read_target(said, tuple(word for word in words if "." in word.split("=")[0]))
    write_settings_of(target)
    for run, settings, stage in stages_in(checked_chain(target)):
        recipe = recipe_of(stage, run, settings)
        if not reasons_to_run(run / stage.name, recipe) or not share(run, settings, recipe):
            run_stage(stage.name, run)
        if run == target.run and stage.name == last:
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
