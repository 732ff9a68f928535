"""Guards what is installed: every file of it is known by its hash, and what is not free software is named."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PINNED = ("cpu", "gpu", "quantize-cpu", "quantize-gpu")


def test_every_package_that_is_not_free_software_is_named():
    script = [sys.executable, str(ROOT / "requirements/licences.py")]
    said = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    listed = said.split("Unknown", 1)[0].splitlines()[1:]
    named = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = [line.split()[0] for line in listed]
    assert [name for name in names if name not in named and not name.startswith("nvidia-")] == []
    assert "torch" in said and "polars" in said


@pytest.mark.parametrize("name", PINNED)
def test_every_pinned_package_has_the_hashes_of_its_files(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"(?m)^([^ #].*?)==[^\n]*\n((?: +--hash=sha256:[0-9a-f]{64}.*\n)*)", text)
    # On a CPU torch comes from an index of its own, as another file.
    assert {package for package, hashes in pins if not hashes} == ({"torch"} if "cpu" in name else set())
    assert len(pins) > 30
