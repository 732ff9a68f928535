"""Notes each attempt at a training stage: the seconds of killed ones count, and their base is known."""

import sys
import time
from pathlib import Path

from pydantic import BaseModel, ValidationError

from shared.artifacts.files import write_json
from training.run_folder.freshness import Recipe
from training.run_folder.stage_context import StageContext


class Attempt(BaseModel):
    """attempt.json beside the checkpoint of a training that is under way."""

    fingerprint: str
    start: float  # seconds since 1970
    before: float  # seconds that earlier attempts spent until their last checkpoint
    base: dict[str, str] | None = None  # digest of the base's weights


def note_attempt(context: StageContext, base: dict[str, str]) -> float:
    """Seconds that earlier, killed attempts at this output spent until their last checkpoint; notes this attempt.

    Raises ValueError where their base had other weights: a checkpoint holds adapters alone.
    """
    state, now, before = context.out.with_suffix(".state"), time.time(), 0.0
    last, progress = _last_attempt(state), _progress(state)
    if last and last.fingerprint == context.fingerprint and progress.is_file():
        if last.base not in (None, base):
            raise ValueError(
                f"the base model's weights are others than when this training began: put the old ones back, or "
                f"delete {state} to begin anew"
            )
        before = last.before + max(progress.stat().st_mtime - last.start, 0.0)
    attempt = Attempt(fingerprint=context.fingerprint, start=now, before=before, base=base)
    state.mkdir(parents=True, exist_ok=True)
    write_json(state / "attempt.json", attempt.model_dump())
    return before


def checkpoint_note(state: Path, recipe: Recipe) -> list[str]:
    """What becomes of the checkpoint in `state` when `recipe` is made, as a reason that `plan` adds; [] without one."""
    last = _last_attempt(state)
    if not last or not _progress(state).is_file():
        return []
    if recipe.is_known and last.fingerprint == recipe.fingerprint:
        return ["goes on from its checkpoint"]
    return ["leaves behind the checkpoint of a training with other settings or inputs"]


def _last_attempt(state: Path) -> Attempt | None:
    """The attempt that was noted last; None where there is none, or where its note is damaged."""
    path = state / "attempt.json"
    if not path.is_file():
        return None
    try:
        return Attempt.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        print(f"{path} is damaged: the seconds of earlier attempts are not counted", file=sys.stderr, flush=True)
        return None


def _progress(state: Path) -> Path:
    """The newest checkpoint's; a kill between two renames leaves the older one alone."""
    newest, older = state / "checkpoint" / "progress.json", state / "checkpoint.old" / "progress.json"
    of_several = sorted(state.glob("*/checkpoint*/progress.json"), key=lambda path: path.stat().st_mtime)
    if of_several:  # a stage that trains several models
        return of_several[-1]
    return newest if newest.is_file() or not older.is_file() else older
