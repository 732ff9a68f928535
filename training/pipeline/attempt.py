"""Notes each attempt at a training stage, so that the seconds of killed ones count and their base is known."""

import json
import time

from shared.artifacts.files import write_json
from training.run_folder.stage_context import StageContext


def note_attempt(context: StageContext, base: dict[str, str]) -> float:
    """Seconds that earlier, killed attempts at this output spent until their last checkpoint; notes this attempt.

    Raises ValueError where their base had other weights: a checkpoint holds adapters alone.
    """
    state, now, before = context.out.with_suffix(".state"), time.time(), 0.0
    note, progress = state / "attempt.json", state / "checkpoint" / "progress.json"
    if note.is_file() and progress.is_file():
        last = json.loads(note.read_text(encoding="utf-8"))
        if last["fingerprint"] == context.fingerprint:
            if last.get("base", base) != base:
                raise ValueError(
                    f"the base model's weights are others than when this training began: put the old ones back, or "
                    f"delete {state} to begin anew"
                )
            before = last["before"] + max(progress.stat().st_mtime - last["start"], 0.0)
    state.mkdir(parents=True, exist_ok=True)
    write_json(note, {"fingerprint": context.fingerprint, "start": now, "before": before, "base": base})
    return before
