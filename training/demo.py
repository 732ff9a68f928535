"""The main job on generated questions: both iterations, then the very kernel that runs on Kaggle, then its score."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from training.pipeline import train as pipeline
from training.synthesis.malrules.generate import write_competition

DATA, INPUTS, OUT = Path("data/demo"), Path("runs/demo/input"), Path("runs/demo/submission.csv")
CODE = ("shared", "inference")  # what the code dataset holds
KERNEL = Path("kaggle_kernels/submit/kernel.py")


def demo(arguments: list[str]) -> int:
    """Run the demo; `questions=N` makes less data, `section.key=value` goes to both iterations."""
    questions = [argument for argument in arguments if argument.startswith("questions=")]
    overrides = [argument for argument in arguments if argument not in questions]
    count = questions[0].partition("=")[2] if questions else "240"
    if not count.isdecimal() or int(count) < 40:
        raise ValueError(f"questions={count}: say a number, at least 40")
    write_competition(DATA, questions=int(count), test_questions=int(count) // 4)
    for iteration in ("demo0", "demo1"):
        if status := pipeline.train([f"iter={iteration}", *overrides]):
            return status
    if status := run_kernel(DATA, Path("runs/demo1/cv"), OUT):
        return status
    pipeline.report(["iter=demo1"])
    print(f"\nsubmission.csv is {OUT}; against the demo's hidden answers:", flush=True)
    score = ["score", "--competition", str(DATA), "--submission", str(OUT), "--labels", str(DATA / "test_labels.csv")]
    return subprocess.run([sys.executable, "-m", "inference", *score]).returncode


def run_kernel(competition: Path, run: Path, out: Path) -> int:
    """Run the kernel as Kaggle does: in a process of its own, all its inputs in one folder. Returns its status."""
    shutil.rmtree(INPUTS, ignore_errors=True)
    hidden = shutil.ignore_patterns("__pycache__", "train.csv", "test_labels.csv")
    for source in (*map(Path, CODE), competition, run / "merge_embedder", run / "merge_reranker"):
        place = INPUTS / ("code" if str(source) in CODE else "") / source.name
        shutil.copytree(source, place, ignore=hidden)
    rerun = {"KAGGLE_IS_COMPETITION_RERUN": "1"}
    paths = {"MALRULE_INPUT": str(INPUTS.resolve()), "MALRULE_OUT": str(out.resolve()), "MALRULE_PROFILE": "cpu"}
    # -I: the checkout is not on the kernel's path, only what it finds among its inputs
    return subprocess.run([sys.executable, "-I", str(KERNEL)], env={**os.environ, **rerun, **paths}).returncode
