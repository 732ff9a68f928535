"""Guards what is installed: a package that is not free software is named in CONTRIBUTING.md."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_that_is_not_free_software_is_named():
    script = [sys.executable, str(ROOT / "requirements/licences.py")]
    said = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    listed = said.split("Unknown", 1)[0].splitlines()[1:]
    named = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = [line.split()[0] for line in listed]
    assert [name for name in names if name not in named and not name.startswith("nvidia-")] == []
    assert "torch" in said and "polars" in said
