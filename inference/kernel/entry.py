"""Does for Kaggle's kernel what must happen around predict: installs its wheels, and starts the process that works.

Imports nothing but the standard library, and changes nothing of the notebook's own environment: that runs on packages
of the image, and the wheels bring other versions of some. They go into an environment beside it.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

# {wheel: module} of what predict needs beyond the image; kaggle_kernels/wheels/ pins them and all that they need.
WHEELS = {"vllm": "vllm", "polars": "polars", "pydantic": "pydantic", "faiss-cpu": "faiss", "typer": "typer"}
LOCK = "malrule-wheels.txt"  # beside the wheels: their names, versions and hashes
ROOT = Path(__file__).parents[2]


def run(inputs: Path, out: Path, profile: str, sources: dict[str, dict], sample: int, seconds: float) -> None:
    """Write `out` from what is mounted under `inputs`; `sources` are the digests of the datasets that were pushed.

    It ends a while before `seconds` are over with the best result until then, and where something failed too: a kernel
    that fails has no score. Then, beside it in sample/, the same for `sample` questions of train.csv, and there a
    failure counts: with the 3 public rows alone, the hidden rerun would be the first real run. Leaves with one sentence
    when an input is missing, stale or damaged, a wheel does not fit, or the GPUs are not those of the profile.
    """
    end = time.monotonic() + seconds
    try:
        python = find_python(inputs)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    given = {"inputs": str(inputs), "out": str(out), "profile": profile, "sources": sources, "sample": sample}
    status, reason = _relay([str(python), "-m", "inference.kernel.work", json.dumps({**given, "end": end})])
    if status:
        raise SystemExit(reason or f"error: the kernel's process ended with status {status}; its reason is above")


def find_python(inputs: Path) -> Path:
    """The interpreter that has what predict needs: this one, or one with the wheels under `inputs` and nothing else.

    No index is asked, and the hashes of the lock decide. ValueError when the wheels are for another interpreter.
    """
    missing = [name for name in WHEELS.values() if not importlib.util.find_spec(name)]
    if not missing:
        return Path(sys.executable)
    wheels = sorted(inputs.rglob("vllm-*.whl"))
    if not wheels:
        raise ValueError(f"no {missing[0]} here, nor wheels under {inputs}: add malrule-wheels to the kernel's sources")
    folder = wheels[0].parent
    misfit = [path.name for path in sorted(folder.glob("*.whl")) if not _fits(path.name)]
    if misfit:
        version = ".".join(map(str, sys.version_info[:2]))
        raise ValueError(
            f"{len(misfit)} wheels, {misfit[0]} first, do not fit this Python {version}: "
            "just push-wheels makes new ones"
        )
    if not (folder / LOCK).is_file():
        raise ValueError(f"{folder} has no {LOCK}: an older push made these wheels; just push-wheels makes new ones")
    return _install(folder, Path(tempfile.gettempdir()) / "malrule-wheels")


def _install(wheels: Path, place: Path) -> Path:
    """The interpreter of a new environment in `place`: /kaggle/working is saved as the kernel's output, this is not."""
    shutil.rmtree(place, ignore_errors=True)
    venv.create(place, symlinks=True)
    python, began = place / "bin/python", time.monotonic()
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    if subprocess.run([*pip, f"--find-links={wheels}", "--require-hashes", "-r", str(wheels / LOCK)]).returncode:
        raise ValueError("pip could not install the wheels (its reason is above): just push-wheels makes new ones")
    print(f"the wheels are installed in {place}, after {time.monotonic() - began:.0f} s", flush=True)
    return python


def _fits(wheel: str) -> bool:
    from packaging.tags import sys_tags
    from packaging.utils import parse_wheel_filename

    return not parse_wheel_filename(wheel)[3].isdisjoint(sys_tags())


def _relay(command: list[str]) -> tuple[int, str]:
    """Run `command` and print what it prints: (its status, the last sentence of an error that it said)."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    if sys.dont_write_bytecode:  # mounted code stays what its manifest says
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    reason, pipes = "", {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                reason = line.strip() if line.startswith("error: ") else reason
        except BaseException:  # a stopped cell
            process.kill()
            raise
    return process.returncode, reason
