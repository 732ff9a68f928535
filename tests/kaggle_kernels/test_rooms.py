"""Guards the arrows inside kaggle_kernels: push imports package and api, package may import api, api neither."""

import ast

import pytest

from tests.kaggle_kernels.kaggle_checkout import ROOT

ROOMS = ("api", "package", "push")  # each may import those before it


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room):
    above = [f"kaggle_kernels.{other}" for other in ROOMS[ROOMS.index(room) + 1 :]]
    files = sorted((ROOT / "kaggle_kernels" / room).glob("*.py"))
    assert files
    for path in files:
        imported = {
            node.module
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        }
        wrong = [name for name in imported if name.rpartition(".")[0] in above]
        assert not wrong, f"{path} imports {wrong}"
