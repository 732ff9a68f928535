"""Downloads the competition's files into one folder, which appears with all of them or not at all."""

import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from kaggle_kernels.api.competition import data_files, download_data
from kaggle_kernels.api.retries import Refused
from kaggle_kernels.api.session import Kaggle
from shared.artifacts import manifest

LARGEST_BYTES = 20 * 10**9  # An archive may unpack to so much; Eedi's are 4 MB.


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
    _unpack(partial / "archive.zip", partial / "files")
    _compare(partial / "files", sizes)
    manifest.write_manifest(partial / "files", {"competition": competition})
    os.replace(partial / "files", folder)
    shutil.rmtree(partial)
    return f"{folder} holds {len(sizes)} files of {competition}: {', '.join(sorted(sizes))}"


def _unpack(archive: Path, folder: Path) -> None:
    """Raises Refused for an archive that is broken, too large, or would write anywhere else."""
    try:
        with zipfile.ZipFile(archive) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > LARGEST_BYTES:
                raise Refused(
                    f"the competition's archive would unpack to more than {LARGEST_BYTES:,} bytes: fetch it by hand"
                )
            for entry in packed.infolist():
                _check_place(entry)
                packed.extract(entry, folder)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise Refused(f"the competition's archive is broken ({error}): run the command again") from None


def _check_place(entry: zipfile.ZipInfo) -> None:
    path = PurePosixPath(entry.filename)
    link = stat.S_ISLNK(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or link:
        raise Refused(f"the competition's archive wants to write to {entry.filename!r}: it is not what it should be")


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
