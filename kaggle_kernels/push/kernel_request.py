"""Reads a kernel's folder and makes the one request that pushes it, with every field written and every source known.

In kernel-metadata.json an id or a source without "/" gets the owner in front; {tag} stands for the iteration (iter1).
The line of the code file that starts with `SOURCES = ` gets {slug: {version, digest}} of the datasets it will mount.
"""

import hashlib
import json
import re
from pathlib import Path

from inference.machine.profiles import load_profile
from kaggle_kernels.package.kernel_metadata import NO_MACHINE, check_kernel, metadata_path, read_kernel_metadata
from kaggle_kernels.package.secret_scan import refuse_credentials
from kaggle_kernels.push.receipts import Source

LARGEST_BYTES = 1_000_000  # Kaggle takes about a megabyte of code.


def kernel_request(folder: Path, owner: str, tag: str, internet: bool, public: bool) -> dict:
    """The SaveKernel request for `folder`. Raises ValueError for a field that is missing, of another type or unfit."""
    path = metadata_path(folder)
    if not path.is_file():
        raise ValueError(f"{path} does not exist, so there is no kernel to push")
    metadata = read_kernel_metadata(folder, tag)
    request = metadata.model_dump(by_alias=True)
    for name in ("datasetDataSources", "kernelDataSources"):
        request[name] = [_owned(source, owner) for source in request[name]]
    request["slug"] = _owned(metadata.id.removeprefix("OWNER/"), owner)
    request["isPrivate"] = not public
    request["text"] = _code(folder / metadata.code_file, metadata.kernel_type)
    check_kernel(metadata, path, internet, public)
    if metadata.machine_shape == NO_MACHINE:
        request["machineShape"] = ""
    _check_profile(request, path)
    return request


def fill_sources(text: str, kernel_type: str, sources: dict[str, Source]) -> str:
    """`text` with `sources` in its `SOURCES = ` line. Raises ValueError unless there is exactly one."""
    facts = {slug: source.model_dump() for slug, source in sources.items()}
    line = f"SOURCES = {json.dumps(facts, sort_keys=True)}"
    if kernel_type != "notebook":
        filled, count = re.subn(r"(?m)^SOURCES = .*$", lambda _: line, text)
    else:
        notebook, count = json.loads(text), 0
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["source"], more = re.subn(r"(?m)^SOURCES = .*$", lambda _: line, cell["source"])
                count += more
        filled = json.dumps(notebook)
    if count != 1:
        raise ValueError(
            f"the kernel's code has {count} lines that start with `SOURCES = `; it needs one, to check what it mounts"
        )
    return filled


def sources_line(request: dict) -> str:
    """The line of the code that says what the kernel must find mounted; "" where it mounts nothing of ours."""
    return next((line for line in _lines(request) if line.startswith("SOURCES = ")), "")


def request_digest(request: dict) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _owned(source: str, owner: str) -> str:
    return source if "/" in source else f"{owner}/{source}"


def _code(path: Path, kernel_type: str) -> str:
    """The code file as Kaggle wants it: a notebook without outputs, each cell's source one string."""
    if not path.is_file():
        raise ValueError(f"{path} does not exist: kernel-metadata.json names it as code_file")
    refuse_credentials({path.name: path})
    content = path.read_bytes()
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"{path} has {len(content):,} bytes; Kaggle takes {LARGEST_BYTES:,}")
    if kernel_type != "notebook":
        return content.decode()
    try:
        notebook = json.loads(content)
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
            if cell["cell_type"] == "code":
                cell["outputs"] = []
        return json.dumps(notebook)
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is no notebook: make it again from kernel.py") from None


def _lines(request: dict) -> list[str]:
    """The lines of the code, of a script or of a notebook's cells."""
    code, kind = request["text"], request["kernelType"]
    cells = [code] if kind != "notebook" else [cell["source"] for cell in json.loads(code)["cells"]]
    return [line for cell in cells for line in cell.splitlines()]


def _check_profile(request: dict, path: Path) -> None:
    """Raise ValueError when the code's PROFILE is written for another machine than the one asked for."""
    for line in _lines(request):
        if name := re.fullmatch(r'PROFILE = .*"(\w+)"\)?', line):
            shape = load_profile(name[1]).machine_shape
            if shape != request["machineShape"]:
                raise ValueError(
                    f"{path}: machine_shape is {request['machineShape']}, and the code's profile {name[1]} is for"
                    f" {shape or 'no machine of Kaggle'}: change one of them"
                )
