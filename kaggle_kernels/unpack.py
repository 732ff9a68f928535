"""Unpacks an archive that nobody vouches for into one folder, or refuses it: nothing is written anywhere else."""

import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from kaggle_kernels.api.retries import Refused

LARGEST_BYTES = 20 * 10**9  # An archive may unpack to so much; Eedi's are 4 MB.
MOST_FILES = 10_000
MOST_FOLDERS = 16  # in one another
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what Kaggle packs with
ENCRYPTED = 0x1  # a bit of an entry's flags
BROKEN = (  # what zipfile and what it calls raise for bytes that are no archive, or not a whole one
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError, RuntimeError),
    *(UnicodeError, ValueError),
)


def unpack(archive: Path, folder: Path) -> None:
    """Raises Refused for an archive that is broken, too large, locked, has a file twice, or would write elsewhere."""
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            _check(entries)
            for entry in entries:
                packed.extract(entry, folder)
    except Refused:
        raise
    except BROKEN as error:
        raise Refused(f"the competition's archive is broken ({error}): run the command again") from None


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if sum(entry.file_size for entry in entries) > LARGEST_BYTES or len(entries) > MOST_FILES:
        raise Refused(
            f"the competition's archive would unpack to more than {LARGEST_BYTES:,} bytes or {MOST_FILES:,} files: "
            "fetch it by hand"
        )
    places: set[str] = set()
    for entry in entries:
        place = PurePosixPath(entry.filename)
        link = stat.S_ISLNK(entry.external_attr >> 16)
        if place.is_absolute() or ".." in place.parts or "\\" in entry.filename or link:
            raise _odd(entry, "wants to write to", "it is not what it should be")
        if len(place.parts) > MOST_FOLDERS:
            raise _odd(entry, f"has more than {MOST_FOLDERS} folders in one another:", "fetch it by hand")
        if entry.flag_bits & ENCRYPTED:
            raise _odd(entry, "is locked with a password:", "fetch it by hand")
        if entry.compress_type not in METHODS:
            raise _odd(entry, f"is packed by method {entry.compress_type}, which is not read:", "fetch it by hand")
        if (name := place.as_posix().casefold()) in places:  # the last would win, and on some disks "A" is "a"
            raise _odd(entry, "has twice", "nobody knows which is meant; fetch it by hand")
        places.add(name)


def _odd(entry: zipfile.ZipInfo, what: str, way_out: str) -> Refused:
    name = entry.filename if len(entry.filename) <= 80 else f"{entry.filename[:79]}…"
    return Refused(f"the competition's archive {what} {name!r}: {way_out}")
