"""Deletes what a run has made."""

import shutil

from training.pipeline.stages import STAGES
from training.run_folder.names import Target


def clean(target: Target, stage: str | None) -> int:
    """Delete the output of one stage of a run, or the whole run; what was trained is gone then."""
    if stage is not None and stage not in STAGES:
        raise ValueError(f"stage={stage}: there are {', '.join(STAGES)}")
    run = target.run
    if stage is None:
        shutil.rmtree(run, ignore_errors=True)
    else:
        for path in (run / stage, run / f".{stage}.partial", run / f".{stage}.state"):
            shutil.rmtree(path, ignore_errors=True)
    print(f"deleted {run / stage if stage else run}")
    return 0
