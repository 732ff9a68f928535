"""Reads a JSON file whole, as its manifest lists it, or says in one sentence what is wrong with it."""

import json
from pathlib import Path
from typing import Any

from shared.artifacts.verified import check_file


def read_json(path: Path, way_out: str = "run again what makes it", kind: type = dict) -> Any:
    """What `path` holds, a `kind`. Raises ValueError for a file that is missing, damaged, or holds anything else."""
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {way_out}")
    check_file(path)
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or brackets in brackets without an end
        raise ValueError(f"{path} is damaged ({error}): {way_out}") from None
    if not isinstance(value, kind):
        raise ValueError(f"{path} holds a {type(value).__name__}, which is not what was written there: {way_out}")
    return value
