"""Deletes what a run has made."""

import shutil
from contextlib import ExitStack

from shared.artifacts.locks import locked
from training.pipeline.stages import STAGES
from training.pipeline.train import TRAIN_LOCK
from training.run_folder.names import Target


def clean(target: Target, stage: str | None) -> int:
    """Delete the output of one stage of a run, or the whole run; what was trained is gone then.

    Raises ValueError where there is nothing, and while another command works at it.
    """
    if stage is not None and stage not in STAGES:
        raise ValueError(f"stage={stage}: there are {', '.join(STAGES)}")
    run = target.run
    paths = [run] if stage is None else [run / stage, run / f".{stage}.partial", run / f".{stage}.state"]
    there = [path for path in paths if path.is_dir()]
    if not there:
        raise ValueError(f"{paths[0]} does not exist: there is nothing to delete")
    with ExitStack() as held:
        # any stage that runs here: one that others read from must not go while they run
        for lock in [run / TRAIN_LOCK, *(run / f".{name}.lock" for name in STAGES)]:
            held.enter_context(locked(lock, f"{lock} is held: another command works there; stop it first"))
        for path in there:
            shutil.rmtree(path)
    print(f"deleted {paths[0]}")
    return 0
