"""Finds the calibration that goes along with a reranker."""

from collections.abc import Callable
from pathlib import Path

from inference.fusion.calibration import CALIBRATION_FILE
from shared.artifacts import manifest


def calibration_file(run: Path, say: Callable) -> dict[str, Path]:
    """{name: file} of the calibration of `run`, none for a split that holds data out; a line says what there is.

    A calibration counts every labelled misconception as seen, which holds for a model that was trained on them all.
    Raises ValueError for a damaged one.
    """
    if run.name != "full":
        return {}
    folder = run.parent / "calibration"
    if not (folder / CALIBRATION_FILE).is_file():
        iteration = run.parent.name.removeprefix("iter")
        say(f"the reranker goes without a calibration: {folder} is not there (just calibrate iter={iteration})")
        return {}
    manifest.verify_manifest(folder)
    say(f"{folder / CALIBRATION_FILE} goes along with the reranker")
    return {CALIBRATION_FILE: folder / CALIBRATION_FILE}
