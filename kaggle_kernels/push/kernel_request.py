"""Reads a kernel's folder and makes the one request that pushes it, with every field written and every source known.

In kernel-metadata.json an id or a source without "/" gets the owner in front; {tag} stands for the iteration (iter1).
The line of the code file that starts with `SOURCES = ` gets {slug: {version, digest}} of the datasets it will mount.
"""

import hashlib
import json
import re
from pathlib import Path

from inference.machine.profiles import load_profile
from kaggle_kernels.package.secret_scan import refuse_credentials
from kaggle_kernels.package.stage_folder import slugify

SHAPES = (
    "NvidiaTeslaT4",
    "NvidiaL4",
    "NvidiaL4X1",
    "NvidiaTeslaA100",
    "NvidiaH100",
    "NvidiaRtxPro6000",
    "None",
)  # None: CPU
IMAGE = re.compile(r"gcr\.io/(?:kaggle-private-byod|kaggle-gpu-images|kaggle-images)/python@sha256:[0-9a-f]{64}")
# In the file: (in the request, its type). Kaggle's own defaults turn the internet on and let the image change.
FIELDS = {
    "id": ("slug", str),
    "title": ("newTitle", str),
    "language": ("language", str),
    "kernel_type": ("kernelType", str),
    "is_private": ("isPrivate", bool),
    "enable_gpu": ("enableGpu", bool),
    "enable_tpu": ("enableTpu", bool),
    "enable_internet": ("enableInternet", bool),
    "machine_shape": ("machineShape", str),
    "docker_image": ("dockerImage", str),
    "docker_image_pinning_type": ("dockerImagePinningType", str),
    "dataset_sources": ("datasetDataSources", list),
    "competition_sources": ("competitionDataSources", list),
    "kernel_sources": ("kernelDataSources", list),
    "model_sources": ("modelDataSources", list),
}
LARGEST = 1_000_000  # bytes of code: Kaggle takes about a megabyte


def kernel_request(folder: Path, owner: str, tag: str, internet: bool, public: bool) -> dict:
    """The SaveKernel request for `folder`. Raises ValueError for a field that is missing, of another type or unfit."""
    path = folder / "kernel-metadata.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist, so there is no kernel to push")
    refuse_credentials({path.name: path})
    try:
        metadata = json.loads(path.read_text().replace("{tag}", tag))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    for name, (_, kind) in FIELDS.items():
        if type(metadata.get(name)) is not kind:
            raise ValueError(f"{path}: {name} must be written, and be a {kind.__name__}; it is {metadata.get(name)!r}")
    request = {there: metadata[here] for here, (there, _) in FIELDS.items()}
    for name in ("datasetDataSources", "kernelDataSources"):
        request[name] = [_owned(source, owner) for source in request[name]]
    request["slug"] = _owned(metadata["id"].removeprefix("OWNER/"), owner)
    request["isPrivate"] = not public
    request["text"] = _code(folder / metadata.get("code_file", "kernel.ipynb"), metadata["kernel_type"])
    _check(request, metadata, path, internet)
    _check_profile(request, path)
    return request


def fill_sources(text: str, kernel_type: str, sources: dict[str, dict]) -> str:
    """`text` with `sources` in its `SOURCES = ` line. Raises ValueError unless there is exactly one."""
    line = f"SOURCES = {json.dumps(sources, sort_keys=True)}"
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
    if len(content) > LARGEST:
        raise ValueError(f"{path} has {len(content):,} bytes; Kaggle takes {LARGEST:,}")
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


def _check(request: dict, metadata: dict, path: Path, internet: bool) -> None:
    slug, title, gpu = request["slug"].rpartition("/")[2], request["newTitle"], request["enableGpu"]
    pinned = request["dockerImagePinningType"] == "original" and IMAGE.fullmatch(request["dockerImage"])
    wrong = {
        f"title {title!r} gives the slug {slugify(title)!r}, not {slug!r}": slugify(title) != slug,
        f"title {title!r} must have 5 to 50 characters": not 5 <= len(title) <= 50,
        f"language {request['language']!r} must be python": request["language"] != "python",
        f"kernel_type {request['kernelType']!r} is neither notebook nor script": request["kernelType"]
        not in ("notebook", "script"),
        "is_private must be true in the file; --public is said on the command line": metadata["is_private"] is not True,
        f"enable_internet must be {str(internet).lower()} for this kernel": request["enableInternet"] is not internet,
        f"machine_shape {request['machineShape']!r} is none of {', '.join(SHAPES)}": request["machineShape"]
        not in SHAPES,
        "docker_image is the CPU image, which wins over the GPU": gpu and "/kaggle-images/" in request["dockerImage"],
        "enable_gpu and machine_shape disagree": gpu is (request["machineShape"] == "None"),
        f"docker_image {request['dockerImage']!r} must be pinned by its digest, as original": not pinned,
    }
    for sentence, holds in wrong.items():
        if holds:
            raise ValueError(f"{path}: {sentence}")
    if request["machineShape"] == "None":
        request["machineShape"] = ""
