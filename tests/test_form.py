"""Guards the sizes of the house: what a reader has to keep in mind at once."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILDINGS = ("shared", "inference", "training", "kaggle_kernels", "benchmarks")
FILES = [path.relative_to(ROOT) for name in BUILDINGS for path in sorted((ROOT / name).rglob("*.py"))]
MOST_LINES = 250
MOST_FUNCTION_LINES = 60
MOST_NESTING = 3
MOST_PARAMETERS = 6
MOST_MODULES = 12
ONE_MODULE_A_TOPIC = "training/synthesis/malrules"  # mathematics has as many topics as it has
NESTING = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_file_is_long(path):
    assert len(read(path).splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_function_is_long_or_deep_and_no_public_one_takes_many_parameters(path):
    for function in (node for node in ast.walk(ast.parse(read(path))) if isinstance(node, FUNCTIONS)):
        lines = function.end_lineno - function.lineno + 1
        assert lines <= MOST_FUNCTION_LINES, f"{function.name} has {lines} lines"
        assert depth(function) <= MOST_NESTING, f"{function.name} nests {depth(function)} deep"
        taken = len(parameters(function))
        assert function.name.startswith("_") or taken <= MOST_PARAMETERS, f"{function.name} takes {taken} parameters"


def test_a_folder_holds_few_modules():
    counts = Counter(path.parent.as_posix() for path in FILES if path.name != "__init__.py")
    assert {folder for folder, count in counts.items() if count > MOST_MODULES} <= {ONE_MODULE_A_TOPIC}


def test_depth_counts_what_is_inside_and_not_how_many_branches_there_are():
    flat = "def f():\n if a: b\n elif c: d\n elif e: f"
    deep = "def f():\n for a in b:\n  if c:\n   with d: e"
    assert [depth(ast.parse(text).body[0]) for text in (flat, deep)] == [1, 3]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def depth(node):
    """How deep branches, loops, with and try lie in each other; elif is no deeper, a function inside counts alone."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
            deepest = max(deepest, depth(child) + (isinstance(child, NESTING) and not is_elif))
    return deepest


def parameters(function):
    every = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return [one.arg for one in every if one.arg not in ("self", "cls")]
