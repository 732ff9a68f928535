"""Deletes what a run has made."""

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from shared.artifacts.lineage import read_lineage
from shared.artifacts.locks import locked
from shared.artifacts.manifest import is_whole
from shared.counted import count
from training.pipeline.share import siblings
from training.pipeline.stages import STAGES
from training.pipeline.train import TRAIN_LOCK
from training.run_folder.names import Target, nearest_of
from training.run_folder.training_log import logs_of


def clean(target: Target, stage: str | None, sure: bool = False) -> int:
    """Delete the output of one stage of a run, or, when a person says yes or is `sure`, the whole run.

    Raises ValueError where there is nothing, where nobody can be asked, and while another command works at it.
    """
    if stage is not None and stage not in STAGES:
        raise ValueError(f"stage={stage}: there are {', '.join(STAGES)}{nearest_of(stage, STAGES)}")
    run = target.run
    paths = [run] if stage is None else [run / stage, run / f".{stage}.partial", run / f".{stage}.state"]
    there = [path for path in paths if path.is_dir()]
    logs = [] if stage is None else logs_of(run, stage)
    if not there:
        raise ValueError(f"{paths[0]} does not exist: there is nothing to delete")
    if stage is None and not sure and not _agreed(run):
        print("nothing was deleted")
        return 0
    elsewhere = _elsewhere(run, [stage] if stage else list(STAGES))
    with ExitStack() as held:
        # any stage that runs here: one that others read from must not go while they run
        for lock in [run / TRAIN_LOCK, *(run / f".{name}.lock" for name in STAGES)]:
            held.enter_context(locked(lock, f"{lock} is held: another command works there; stop it first"))
        for path in there:
            shutil.rmtree(path)
        for path in logs:
            path.unlink()
    print(f"deleted {paths[0]}")
    if elsewhere:
        print(
            f"the same output is still in {', '.join(elsewhere)}: train links it from there; to have it made anew, "
            "clean it there, too"
        )
    return 0


def describe(run: Path) -> str:
    """What a run holds, in a sentence: its stages, how much room they take, and what of it other runs hold as well."""
    made = [name for name in STAGES if is_whole(run / name)]
    files = [path.stat() for path in run.rglob("*") if path.is_file() and not path.is_symlink()]
    alone, linked = (sum(file.st_size for file in files if (file.st_nlink > 1) == both) for both in (False, True))
    text = f"{run} holds {count(len(made), 'finished stage')}"
    if made:
        text += f" ({', '.join(made)})"
    text += f" and takes {alone / 1e6:,.1f} MB"
    if linked:
        text += f"; {linked / 1e6:,.1f} MB more are linked to other runs, which keep them"
    return text


def _agreed(run: Path) -> bool:
    """Whether the person at the terminal says yes to losing the run."""
    print(describe(run), flush=True)
    if not sys.stdin.isatty():
        raise ValueError(f"nobody can be asked whether {run} may go: add --yes, or stage=NAME for one stage of it")
    print("Delete all of it? What was trained is gone then. [yes/no] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _elsewhere(run: Path, stages: list[str]) -> list[str]:
    """The runs that hold the output of one of these stages, too."""
    return [str(other) for other in siblings(run) if any(_same(run / name, other / name) for name in stages)]


def _same(one: Path, other: Path) -> bool:
    try:
        return read_lineage(one, "fingerprint").fingerprint == read_lineage(other, "fingerprint").fingerprint
    except ValueError:  # one of them is not whole, or damaged
        return False
