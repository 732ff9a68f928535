"""Guards the arrows of the house: which room may import which, no circles, and no torch behind shared."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import inference
import shared
import training

ROOT = Path(__file__).parents[1]
# Each room and what it may import, at the top of a file or inside a function, beside itself; a room comes with all
# rooms inside it. A folder without a row of its own belongs to the room that it lies in.
ARROWS = {
    "shared": (),
    "shared/prompts": (),
    "shared/settings": ("shared/artifacts", "shared/prompts", "shared/task"),
    "shared/artifacts": ("shared/prompts",),
    "shared/task": ("shared/artifacts", "shared/prompts"),
    "inference": ("shared",),
    "inference/machine": ("shared",),
    "inference/engines": ("shared", "inference/machine"),
    "inference/fusion": ("shared",),
    "inference/retrieval": ("shared", "inference/engines", "inference/fusion", "inference/machine"),
    "inference/reranking": ("shared", "inference/engines", "inference/fusion", "inference/machine"),
    "inference/writing": ("shared", "inference/engines", "inference/machine", "inference/retrieval"),
    "inference/tagging": (
        "shared",
        "inference/engines",
        "inference/fusion",
        "inference/machine",
        "inference/reranking",
        "inference/retrieval",
    ),
    "inference/predict": (
        "shared",
        "inference/engines",
        "inference/fusion",
        "inference/machine",
        "inference/reranking",
        "inference/retrieval",
        "inference/writing",
    ),
    "inference/kernel": ("shared", "inference/engines", "inference/machine", "inference/predict"),
    "training": ("shared", "inference"),
    "training/run_folder": ("shared",),
    "training/launch": ("shared", "inference/engines", "training/run_folder"),
    "training/synthesis": ("shared", "inference"),
    "training/synthesis/malrules": ("shared",),
    "training/mining": ("shared", "inference", "training/run_folder"),
    "training/export": ("shared", "inference", "training/run_folder"),
    "training/trainer": ("shared", "inference", "training/run_folder"),
    "training/teaching": (
        "shared",
        "inference",
        "training/export",
        "training/mining",
        "training/run_folder",
        "training/trainer",
    ),
    "training/tagging": ("shared", "inference", "training/run_folder"),
    "training/evaluation": ("shared", "inference", "training/run_folder"),
    "training/pipeline": (
        "shared",
        "inference",
        "training/evaluation",
        "training/export",
        "training/launch",
        "training/mining",
        "training/run_folder",
        "training/teaching",
        "training/trainer",
    ),
    "training/analysis": ("shared", "inference", "training/export", "training/pipeline", "training/run_folder"),
    "kaggle_kernels": ("shared",),
    "kaggle_kernels/api": ("shared",),
    "kaggle_kernels/package": ("shared", "inference", "kaggle_kernels/api"),
    "kaggle_kernels/push": ("shared", "inference", "kaggle_kernels/api", "kaggle_kernels/package"),
    "kaggle_kernels/submit": ("inference/kernel",),
    "kaggle_kernels/wheels": (),
    "benchmarks": ("shared", "inference", "training"),
}
OTHERS = {  # what a building must never import of other people's packages
    "shared": {"torch", "transformers", "vllm", "peft", "safetensors"},
    "inference": {"peft"},
}
BUILDINGS = ("shared", "inference", "training", "kaggle_kernels", "benchmarks")
FILES = [path.relative_to(ROOT) for name in BUILDINGS for path in sorted((ROOT / name).rglob("*.py"))]
MODULES = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_file_imports_against_the_arrows(path):
    room = room_of(path)
    for name in imported_by(path):
        top = name.partition(".")[0]
        assert top != "tests" and top not in OTHERS.get(path.parts[0], ()), f"{path} imports {name}"
        if name in MODULES:
            other = room_of(MODULES[name])
            assert any(is_within(other, allowed) for allowed in (room, *ARROWS[room])), f"{room} must not import {name}"


def test_every_building_is_searched_and_every_room_is_there():
    assert {path.parts[0] for path in FILES} == set(BUILDINGS)
    assert all((ROOT / room).is_dir() for room in ARROWS)


def test_a_new_folder_has_to_say_what_it_imports():
    # in a building that has a table of rooms, the folders right inside it are rooms
    folders = {Path(*path.parts[:2]).as_posix() for path in FILES if len(path.parts) > 2}
    assert {folder for folder in folders if not folder.startswith("benchmarks/")} <= set(ARROWS)


def test_the_pipeline_never_imports_an_analysis():
    for path in FILES:
        if path.is_relative_to("training/pipeline"):
            assert not any(name.startswith("training.analysis") for name in imported_by(path)), path


def test_an_analysis_knows_nothing_of_the_report():
    for path in FILES:
        if path.is_relative_to("training/analysis") and not path.is_relative_to("training/analysis/report"):
            assert not any(name.startswith("training.analysis.report") for name in imported_by(path)), path


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: imported_by(path) & MODULES.keys() - {module} for module, path in MODULES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names a circle


def test_all_of_shared_is_imported_without_torch():
    modules = [module for module, path in MODULES.items() if path.parts[0] == "shared"]
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


def room_of(path):
    """The innermost room that a file lies in."""
    return next(folder.as_posix() for folder in path.parents if folder.as_posix() in ARROWS)


def is_within(room, other):
    return room == other or room.startswith(f"{other}/")


def imported_by(path):
    """Names of the modules that a file imports, anywhere in it; `from a import b` is module a.b where that is ours."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if name in MODULES else node.module for name in inner}
    return names
