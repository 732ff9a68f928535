"""Reads from a finished run what tagging needs: its models, their calibration, how sure they are, and the catalogue."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from inference.engines.serving import Serving
from inference.fusion.calibration import describe_calibration, plain, read_calibration
from inference.fusion.confidence import read_confidence
from inference.machine.profiles import load_profile
from inference.tagging.tagger import ABSENT_SHARE, Tagger, TagModels, open_tagger
from shared.artifacts.manifest import is_whole
from shared.artifacts.verified import check_folder
from shared.settings.load import RUNS, read_settings
from shared.task.current import TASK

FOLDER = "tagging"  # of an iteration: edits of its catalogue, and remembered vectors
ENGINES = ("hf", "vllm")


@dataclass(frozen=True)
class RunTagging:
    """What `open` needs: the models, the catalogue that they were trained with, where edits and vectors are kept."""

    models: TagModels
    misconceptions: pl.DataFrame
    folder: Path

    def open(self, *, writing: bool = False) -> AbstractContextManager[Tagger]:
        """A Tagger over the catalogue with its edits; `writing` keeps further ones."""
        places = self.folder / "edits.jsonl", self.folder / "vectors"
        return open_tagger(self.models, self.misconceptions, places[0], vectors=places[1], writing=writing)


def read_run(iteration: str, options: Mapping[str, str], *, retrieve_only: bool = False) -> RunTagging:
    """What tags for an iteration, with the words that were said: split, absent, engine, profile.

    Raises ValueError for a run without merged models, and for a value that cannot be.
    """
    run = _run_of(iteration, options.get("split"))
    settings = read_settings(run)
    engine = options.get("engine", settings.evaluate.engine)
    if engine not in ENGINES:
        raise ValueError(f"engine={engine}: it is {' or '.join(ENGINES)}")
    serving = Serving(engine, load_profile(options.get("profile", settings.machine.profile)))
    folders = [run / "merge_embedder", *([] if retrieve_only else [run / "merge_reranker"])]
    for folder in folders:
        if not is_whole(folder):
            raise ValueError(f"{folder} does not exist: `just train iter={iteration.removeprefix('iter')}` makes it")
        check_folder(folder)
    calibration = read_calibration(run.parent / "calibration") or plain()
    confidence = read_confidence(run.parent / "confidence")
    models = TagModels(
        folders[0],
        None if retrieve_only else folders[1],
        serving,
        calibration,
        confidence,
        _share(options.get("absent", str(ABSENT_SHARE))),
    )
    print(f"models  {', '.join(map(str, folders))}", flush=True)
    print(f"calibration  {describe_calibration(calibration)}", flush=True)
    if confidence is None:
        again = f"`just calibrate iter={iteration.removeprefix('iter')}` fits them"
        print(f"probabilities  none: {run.parent}/confidence does not exist; {again}", flush=True)
    return RunTagging(models, TASK.tables.misconceptions.read(run / "prepare"), run.parent / FOLDER)


def whole_number(options: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """The number that a word says. Raises ValueError unless it is one from `least` to `most`."""
    text = options.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"{name}={text}: say a number from {least} to {most}")
    return int(text)


def _run_of(iteration: str, split: str | None) -> Path:
    names = [split] if split else ["full", "cv"]
    runs = [RUNS / iteration / name for name in names]
    return next((run for run in runs if is_whole(run / "merge_embedder")), runs[-1])


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise ValueError(f"absent={text}: say a share between 0 and 1, as absent=0.1")
    return share
