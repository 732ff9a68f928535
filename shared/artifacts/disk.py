"""Says in one sentence what a disk refused: which file, why, and how much room there is."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSALS = FULL | {
    getattr(errno, name)
    for name in (
        *("EROFS", "EACCES", "EPERM", "EIO", "ENOLCK", "ENOTSUP", "ESTALE", "EFBIG", "ENAMETOOLONG", "ENODEV", "ENXIO"),
        *("EMFILE", "ENFILE", "EISDIR", "ENOTDIR", "ELOOP", "EBUSY", "ETXTBSY", "ENOTEMPTY", "EXDEV"),
    )
}
HINTS = {
    errno.ENOSPC: "make room, and repeat the command",
    errno.EDQUOT: "make room within the quota, and repeat the command",
    errno.EROFS: "name a folder that can be written to",
    errno.EACCES: "give yourself the right to it, or name another folder",
    errno.EPERM: "give yourself the right to it, or name another folder",
    errno.EIO: "the disk itself is at fault: look at it before the command is repeated",
    errno.ENOLCK: "this file system has no locks: put the folder on another one",
}
IN_RUST = re.compile(r"\(os error (\d+)\)")  # how safetensors and polars speak of what the system refused
IN_PYTHON = re.compile(r"\[Errno (\d+)\]")
IN_NUMPY = re.compile(r"^\d+ requested and \d+ written$")  # which loses the reason


@contextmanager
def naming(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Inside, a refusal of the disk names a file: `path`, where the library that writes does not say one.

    Where it does not even say that the disk refused, as polars does for a full one, writing to `partial` tells.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and not isinstance(error, shutil.Error) and (number := refusal(error)):
            raise OSError(number, os.strerror(number), str(path)) from error
        raise
    except Exception as error:
        number = refusal(error) or (_probe(partial) if partial and not isinstance(error, ValueError) else 0)
        if not number:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _probe(partial: Path) -> int:
    """The number of what the disk refuses when some bytes are written behind those of a file that is given up."""
    try:
        with open(partial, "ab") as file:
            file.write(bytes(1 << 16))
    except OSError as error:
        return refusal(error)
    return 0


def refusal(error: BaseException) -> int:
    """The number of what the disk refused, whoever says it; 0 where the error is another."""
    said = IN_RUST.search(str(error))
    if isinstance(error, shutil.Error):  # of a folder that was copied: (from, to, why) of every file
        said = IN_PYTHON.search(str(error))
    if isinstance(error, OSError) and error.errno is not None:
        number = error.errno
    elif isinstance(error, OSError) and IN_NUMPY.match(str(error)):
        number = errno.ENOSPC
    else:
        number = int(said[1]) if said else 0
    return number if number in REFUSALS else 0


def sentence_of(error: Exception) -> str:
    """What a command says of an error: what a person got wrong, or what the disk refused; "" of a fault of ours."""
    return str(error) if isinstance(error, ValueError) and not isinstance(error, OSError) else disk_sentence(error)


def disk_sentence(error: BaseException) -> str:
    """`PATH: No space left on device; 12.0 MB are free there; make room`; "" where the error is no disk's."""
    number = refusal(error)
    if not number:
        return ""
    path = getattr(error, "filename2", None) or getattr(error, "filename", None)  # of a copy: where to
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        path = error.args[0][0][1]
    said = getattr(error, "strerror", None) or os.strerror(number)
    parts = [f"{path or 'this machine'}: {said}"]
    if number in FULL and path:
        parts.append(f"{_free(Path(os.fsdecode(path))) / 1e6:,.1f} MB are free there")
    return "; ".join([*parts, *([HINTS[number]] if number in HINTS else [])])


def check_room(folder: Path, needed: int) -> None:
    """Raise OSError, before anything is written, where `folder` has no room for so many bytes."""
    free = _free(folder)
    if needed > free:
        text = f"{os.strerror(errno.ENOSPC)}: {needed / 1e6:,.1f} MB are needed"
        raise OSError(errno.ENOSPC, text, str(folder))


def _free(path: Path) -> int:
    """Bytes that may still be written where `path` is, or will be."""
    there = path.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free
