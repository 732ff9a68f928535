"""What the tests of training share: a folder in which its commands run."""

from pathlib import Path

import pytest

from shared.settings.load import ITERATIONS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with the iterations, in which commands run."""
    (tmp_path / "training").mkdir()
    (tmp_path / ITERATIONS).symlink_to(ROOT / ITERATIONS)
    monkeypatch.chdir(tmp_path)
    return tmp_path
