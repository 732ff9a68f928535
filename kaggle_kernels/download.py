"""Downloads the competition's files into one folder, which appears with all of them or not at all."""

import os
import shutil
from pathlib import Path

from kaggle_kernels.api.competition import data_files, download_data
from kaggle_kernels.api.retries import Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.unpack import unpack
from shared.artifacts import manifest
from shared.artifacts.files import sync_tree
from shared.counted import count


def fetch_data(kaggle: Kaggle, competition: str, folder: Path) -> str:
    """Fill `folder` with the competition's files, unless it holds them. Refused until its rules are accepted."""
    if (folder / manifest.MANIFEST).is_file():
        manifest.verify_manifest(folder)
        return f"{folder} is already there and whole"
    try:
        sizes = data_files(kaggle, competition)
    except Refused as no:
        hint = (
            f"; join it and accept its rules at https://www.kaggle.com/competitions/{competition}/rules"
            if "(403)" in str(no)
            else ""
        )
        raise Refused(f"{no}{hint}") from None
    if folder.exists():
        raise ValueError(
            f"{folder} exists and was not downloaded by this command: move it away, or work with it as it is"
        )
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "files").mkdir(parents=True)
    download_data(kaggle, competition, partial / "archive.zip")
    unpack(partial / "archive.zip", partial / "files")
    _compare(partial / "files", sizes)
    manifest.write_manifest(partial / "files", {"competition": competition})
    sync_tree(partial / "files")
    os.replace(partial / "files", folder)
    shutil.rmtree(partial)
    return f"{folder} holds {count(len(sizes), 'file')} of {competition}: {', '.join(sorted(sizes))}"


def _compare(folder: Path, sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file():
            raise Refused(f"the competition's archive lacks {name}: run the command again")
        if path.stat().st_size != size:
            raise Refused(
                f"{name} of the competition's archive has {path.stat().st_size} bytes, Kaggle lists {size}:"
                " run the command again"
            )
