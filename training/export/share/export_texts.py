"""Writes the texts of a run as the CSV files that are replayed: to be read, edited, or put beside a test.csv."""

from pathlib import Path

import polars as pl

from inference.writing.replay import as_csv
from shared.artifacts.files import write_text
from shared.artifacts.manifest import is_whole
from shared.counted import count
from shared.settings.texts import Describe, Explain
from shared.task.tables import TEXTS
from training.run_folder.seen_by_writers import with_seen

FILES = {"explain": Explain().file, "describe": Describe().file}  # of each stage that has texts


def export_texts(run: Path, folder: Path, anyway: bool = False) -> int:
    """Write the files of `run`'s texts into `folder`. Returns 0.

    Raises ValueError where the run has none, where another file of such a name is there, and for texts whose writers
    saw labels, unless they are to be written `anyway`: then the column Writer says what was seen.
    """
    tables = {name: _read(run / stage, run.name, anyway) for stage, name in FILES.items() if is_whole(run / stage)}
    if not tables:
        raise ValueError(
            f"{run} has no texts: explain.writer and describe.writer are off, or it is not trained so far yet"
        )
    files = {folder / name: as_csv(texts) for name, texts in tables.items()}
    for path, text in files.items():
        if path.exists() and not (path.is_file() and path.read_bytes() == text.encode()):
            raise ValueError(f"{path} is there and says something else: remove it, or name another folder, to=DIR")
    folder.mkdir(parents=True, exist_ok=True)
    for (path, text), texts in zip(files.items(), tables.values(), strict=True):
        write_text(path, text)
        empty = (texts["clean"] == "").sum()
        print(f"{path} has {count(len(texts), 'text')}{f', {empty} of them empty' if empty else ''}")
    return 0


def _read(folder: Path, split: str, anyway: bool) -> pl.DataFrame:
    """The TEXTS in `folder`, whose models say what they saw. Raises ValueError for any such text, unless `anyway`."""
    texts, seen = with_seen(TEXTS.read(folder), split)
    if seen and not anyway:
        raise ValueError(
            f"{folder}: the writers of {sum(seen.values())} of {count(len(texts), 'text')} saw {', '.join(seen)}, and "
            "another split may hold out what they saw: say --anyway, and the column Writer says what each one saw"
        )
    return texts
