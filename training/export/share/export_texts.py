"""Writes the texts of a run as the CSV files that are replayed: to be read, edited, or put beside a test.csv."""

from pathlib import Path

from inference.writing.replay import as_csv
from shared.artifacts.files import write_text
from shared.artifacts.manifest import is_whole
from shared.counted import count
from shared.settings.texts import Describe, Explain
from shared.task.tables import TEXTS

FILES = {"explain": Explain().file, "describe": Describe().file}  # of each stage that has texts


def export_texts(run: Path, folder: Path) -> int:
    """Write the files of `run`'s texts into `folder`. Returns 0.

    Raises ValueError where the run has none, and where another file of such a name is there.
    """
    tables = {name: TEXTS.read(run / stage) for stage, name in FILES.items() if is_whole(run / stage)}
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
