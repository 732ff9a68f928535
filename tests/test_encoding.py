"""Guards how the bytes of a text file are read: in UTF-8, whatever the locale. Ruff's PLW1514 sees an eighth of it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("shared", "inference", "training", "kaggle_kernels", "benchmarks", "tests")
MODULES = ("files", "os", "tarfile", "zipfile")  # whose functions of these names are others


def test_every_text_file_is_opened_with_its_encoding():
    paths = [path for name in FOLDERS for path in sorted((ROOT / name).rglob("*.py"))]
    found = [f"{path.relative_to(ROOT)}:{line}" for path in paths for line in guesses(path.read_text(encoding="utf-8"))]
    assert paths and found == []


@pytest.mark.parametrize(
    "code",
    ["open(x)", "open(x, 'w')", "open(x, mode='a')", "x.open('r')", "x.read_text()", "x.write_text(open(y, 'rb'))"],
)
def test_a_call_without_its_encoding_is_found(code):
    assert guesses(code) == [1]


@pytest.mark.parametrize(
    "code",
    [
        "open(x, encoding='utf-8')",
        "open(x, 'wb')",
        "os.open(x, 'w')",
        "engine.open()",
        "x.read_text('utf-8')",
        "write_text(x, y)",
        "open(x, **how)",
    ],
)
def test_a_call_with_its_encoding_and_one_that_has_none_are_not(code):
    assert guesses(code) == []


def guesses(source: str) -> list[int]:
    """The lines of the calls that open a text file and do not say its encoding."""
    return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and is_guess(node)]


def is_guess(call: ast.Call) -> bool:
    if any(keyword.arg in ("encoding", None) for keyword in call.keywords):
        return False
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    if isinstance(call.func, ast.Name):
        return call.func.id == "open" and is_text([*modes, *call.args[1:2], ast.Constant("r")][0])
    if not isinstance(call.func, ast.Attribute) or getattr(call.func.value, "id", "") in MODULES:
        return False
    if call.func.attr == "open":  # without a mode it may be anybody's method
        return bool(modes or call.args) and is_text([*modes, *call.args][0])
    places = {"read_text": 0, "write_text": 1}  # of an encoding that stands without its name
    return call.func.attr in places and len(call.args) <= places[call.func.attr]


def is_text(mode: ast.expr) -> bool:
    value = getattr(mode, "value", None)
    return isinstance(value, str) and value != "" and set(value) <= set("rwax+t")
