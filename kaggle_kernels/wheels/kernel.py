"""Kaggle's only kernel with internet: downloads the wheels that submit/ installs, on the very image it runs on.

Exactly those of the lock, which stands in requirements.txt beside this file: another day brings the same ones.
"""

import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

PYTHON = "3.12"  # of the image in kernel-metadata.json; requirements/pin.sh makes the lock for it
LOCK = ""  # requirements.txt, which is put in when this is pushed
OUT = Path(os.environ.get("MALRULE_OUT", "/kaggle/working"))

here = f"{sys.version_info.major}.{sys.version_info.minor}"
if here != PYTHON:
    raise SystemExit(f"error: the lock is for Python {PYTHON} and this image has {here}: set PYTHON and pin.sh it anew")
pins = dict(re.findall(r"(?m)^([a-z0-9._-]+)==([^ ;\\]+)", LOCK))
if not pins:
    raise SystemExit("error: there is no lock in this kernel: just push-wheels puts it in")
image = {re.sub("[-_.]+", "-", one.name).lower(): one.version for one in distributions() if one.name}
others = {name: f"{image[name]} -> {pin}" for name, pin in pins.items() if image.get(name, pin) != pin}
same = sum(image.get(name) == pin for name, pin in pins.items())
print(f"{len(pins)} wheels: the image has {same} of them as they are and {len(others)} in another version.")
print("The image keeps its own; predict runs in an environment of its own, where these differ:")
print("\n".join(f"  {name} {change}" for name, change in sorted(others.items())), flush=True)

lock = OUT / "malrule-wheels.txt"
lock.write_text(LOCK, encoding="utf-8")
pip = [
    sys.executable,
    "-m",
    "pip",
    "download",
    "--quiet",
    "--dest",
    str(OUT),
    "--require-hashes",
    "--only-binary=:all:",
]
if subprocess.run([*pip, "--requirement", str(lock)]).returncode:
    raise SystemExit(
        "error: pip could not download every wheel of the lock (its reason is above). A package without a wheel for"
        " this image is refused, and so is one that is not the locked one: requirements/pin.sh makes a new lock"
    )
print(f"{len(list(OUT.glob('*.whl')))} wheels are there", flush=True)
