"""Guards the arrows of the house: shared <- inference <- training, and no torch behind shared."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import inference
import shared
import training

ROOT = Path(__file__).parents[1]
FORBIDDEN = {  # who -> whom it must never import, at the top of a file or inside a function
    "shared": {
        "inference",
        "training",
        "kaggle_kernels",
        "tests",
        "torch",
        "transformers",
        "vllm",
        "peft",
        "safetensors",
    },
    "inference": {"training", "kaggle_kernels", "tests", "peft"},
    "training": {"kaggle_kernels", "tests"},
    "kaggle_kernels": {"training", "tests"},
}
FILES = [path.relative_to(ROOT) for name in FORBIDDEN for path in sorted((ROOT / name).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_file_imports_against_the_arrows(path):
    assert not imported_by(ROOT / path) & FORBIDDEN[path.parts[0]]


def test_the_files_are_found():
    assert {path.parts[0] for path in FILES} == set(FORBIDDEN)


def test_all_of_shared_is_imported_without_torch():
    modules = [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in FILES if path.parts[0] == "shared"
    ]
    code = f"""
import importlib, sys
for name in {modules}:
    importlib.import_module(name)
print(sorted({{"torch", "transformers", "vllm", "peft", "inference", "training", "kaggle_kernels"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_our_packages_are_the_ones_imported_not_those_of_the_same_name_on_pypi():
    for package in (shared, inference, training):
        assert {Path(place).resolve() for place in package.__path__} == {ROOT / package.__name__}


def imported_by(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            names.add(node.module)
    return {name.partition(".")[0] for name in names}
