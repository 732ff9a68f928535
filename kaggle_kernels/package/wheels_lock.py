"""Puts the lock of the wheels into the code of the kernel that downloads them: of a kernel one file travels."""

import json
import re
from pathlib import Path

LOCK_FILE = "requirements.txt"


def fill_lock(text: str, folder: Path) -> str:
    """`text` with the lock of `folder` in its `LOCK = ` line. Raises ValueError unless there is one of each."""
    path = folder / LOCK_FILE
    if not path.is_file():
        raise ValueError(f"{path} does not exist: requirements/pin.sh makes it")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    unhashed = [line for line in lines if "==" in line and not line.endswith("\\")]
    if unhashed or not lines:
        raise ValueError(
            f"{path} has no hash for {(unhashed or ['any wheel'])[0]!r}: requirements/pin.sh makes it anew"
        )
    line = f"LOCK = {json.dumps(chr(10).join(lines) + chr(10))}"
    filled, count = re.subn(r"(?m)^LOCK = .*$", lambda _: line, text)
    if count != 1:
        raise ValueError(f"the code of {folder} has {count} lines that start with `LOCK = `; it needs one")
    return filled


def source_packages(names: list[str]) -> list[str]:
    """Those files of a kernel's output that pip would have to build, which the offline kernel cannot."""
    return [name for name in names if name.endswith((".tar.gz", ".zip", ".tar.bz2"))]
