"""Runs the whole demo once, on its smallest setting, through every real engine; tests/test_whole.py looks at it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
PARTS = ("shared", "inference", "training", "kaggle_kernels", "datasets_meta")
SMALLEST = [  # two layers, one epoch, a decoder with an in-context example as embedder
    "embedder.base=models/smollm2-135m-2",
    "embedder.examples=1",
    "reranker.base=models/smollm2-135m-2",
    "mine_for_embedder.count=5",
    "mine_for_reranker.count=5",
    "train_embedder.epochs=1",
    "train_embedder.max_examples=1",
    "train_embedder.checkpoint_seconds=0",
    "merge_embedder.epoch=1",
    "train_reranker.epochs=1",
    "train_reranker.depth=5",
    "train_reranker.checkpoint_seconds=0",
    "merge_reranker.epoch=1",
    "evaluate.depth=5",
]

# A release whose minutes take a second: a kill between the note of a write and the write makes the next one wait.
RELEASE = """
import sys, time
from kaggle_kernels.api.retries import Clock
from kaggle_kernels.cli import main

class FastClock(Clock):
    def now(self):
        return START + 60 * (time.time() - START)
    def sleep(self, seconds):
        time.sleep(seconds / 60)

START = float(sys.argv[1])
sys.exit(main(["release", "iter=demo1", "split=cv", "vectors=cpu", *sys.argv[2:]], FastClock()))
"""


def copy_checkout(place: Path) -> Path:
    """A checkout of its own: what runs, without what ran."""
    for part in PARTS:
        source, target = ROOT / part, place / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.lock.json"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    if (ROOT / "models").is_dir():
        (place / "models").symlink_to(ROOT / "models")
    return place


def offline(place: Path) -> dict[str, str]:
    """An environment in which Python refuses every connection that leaves this machine."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "sitecustomize.py").write_text(
        "import socket\n"
        "connect = socket.socket.connect\n"
        "def only_here(self, address):\n"
        "    if self.family != socket.AF_UNIX and address[0] not in ('127.0.0.1', '::1', 'localhost'):\n"
        "        raise OSError(f'no network: {address}')\n"
        "    return connect(self, address)\n"
        "socket.socket.connect = only_here\n",
        encoding="utf-8",
    )
    return {**os.environ, "PYTHONPATH": str(place)}


def run(checkout: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    """`python -m ARGUMENTS` in `checkout`; what it printed stands in the result."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, **options)


def execute_offline(text: str, inputs: Path, place: Path, monkeypatch):
    """The notebook `text` as it was executed on `inputs` without a network; its submission.csv is in `place`."""
    for name, value in offline(place / "offline").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MALRULE_INPUT", str(inputs))
    monkeypatch.setenv("MALRULE_OUT", str(place / "submission.csv"))
    monkeypatch.setenv("MALRULE_PROFILE", "cpu")
    monkeypatch.setenv("MALRULE_SAMPLE", "2")
    notebook = nbformat.reads(text, 4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(place)}}).execute()
    return notebook
