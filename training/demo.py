"""The whole job on generated questions: both iterations, then the very kernel that runs on Kaggle, then its score."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl

from shared.artifacts.json_files import read_json
from shared.artifacts.manifest import is_whole
from shared.settings.load import RUNS, read_settings
from shared.task.current import TASK
from shared.task.submission import read_labels, read_submission, score_submission
from training.analysis.report.page import write_page
from training.analysis.untrained import name_miner
from training.pipeline.ahead.survey import refuse_to_replace, survey
from training.pipeline.chain import resolve, write_settings_of
from training.pipeline.train import train
from training.run_folder.names import Target
from training.synthesis.malrules.generate import write_competition

DATA, INPUTS, OUT = Path("data/demo"), Path("runs/demo/input"), Path("runs/demo/submission.csv")
CODE = ("shared", "inference")  # what the code dataset holds
KERNEL = Path("kaggle_kernels/submit/kernel.py")
DEMO = ("demo0", "demo1")
USUAL = 240  # questions, unless said otherwise
FEWEST = 40  # questions: with fewer, a fold has no pair of some kind


def demo(questions: int, overrides: tuple[str, ...], replace: bool = False) -> int:
    """Make so many questions, train both iterations with `overrides`, predict and score; the status of what failed.

    Raises ValueError where that would replace what another demo has reached, unless `replace`.
    """
    if questions < FEWEST:
        raise ValueError(f"questions={questions}: say a number, at least {FEWEST}")
    if not replace:
        _check_questions(questions)
    print(f"{questions} questions about school mathematics, with known wrong procedures, go to {DATA}/", flush=True)
    write_competition(DATA, questions=questions, test_questions=questions // 4)
    for iteration in DEMO[:-1]:
        before = Target(iteration, overrides=overrides)
        if not replace:
            refuse_to_replace(survey(resolve(before)))
        write_settings_of(before)
    target = Target(DEMO[-1], overrides=overrides)
    if status := train(target, replace=replace, tell=False):
        return status
    print(f"\nKaggle's offline kernel makes {OUT} with vLLM, as it would there:", flush=True)
    if status := run_kernel(DATA, target.run, OUT):
        return status
    score, rows = _score()
    print("\n".join(["", *summary([RUNS / name / target.split for name in DEMO]), ""]))
    print(f"The submission  {OUT}: {score:.4f} over {rows} hidden answers")
    print(f"The report      {write_page(target.run)}, figures and the worst rows: open it in a browser")
    print("What runs next  ./just plan iter=small1 on real data with one GPU, ./just plan iter=1 with a large one;")
    print(
        "                ./just data fetches the data with your Kaggle account, docs/quickstart.md goes on from there"
    )
    return 0


def summary(runs: list[Path]) -> list[str]:
    """What the models of evaluated `runs` learnt, beside what needs no training; a line each."""
    metrics = [read_json(run / "evaluate" / "metrics.json")["labelled"] for run in runs]
    part = "weighted" if all("weighted" in figures["reranked"] for figures in metrics) else "all"
    pairs = metrics[0]["reranked"]["all"]["pairs"]

    def line(figures: dict, ranking: str, meaning: str) -> str:
        return f"  {figures[ranking][part][TASK.metric.key]:.3f}  {meaning}"

    lines = [
        f"What was learnt: {TASK.metric.title} of {pairs} wrong answers to questions that were held out,",
        "among the misconceptions that some row of train.csv carries",
        "(1 would be the right misconception in front every time)",
        line(metrics[0], "popularity", "what is common, no text read"),
        line(metrics[0], "bm25", "words in common (BM25)"),
        line(metrics[0], "untrained", "the embedder before training"),
        line(metrics[0], "miner", f"{name_miner(read_settings(runs[0]))}, which mines first"),
    ]
    for run, figures in zip(runs, metrics, strict=True):
        lines.append(line(figures, "retrieved", f"{run.parent.name}: as the embedder finds them"))
        lines.append(line(figures, "reranked", f"{run.parent.name}: as the reranker then orders them"))
    return lines


def run_kernel(competition: Path, run: Path, out: Path) -> int:
    """Run the kernel as Kaggle does: in a process of its own, all its inputs in one folder. Returns its status."""
    shutil.rmtree(INPUTS, ignore_errors=True)
    hidden = shutil.ignore_patterns("__pycache__", TASK.files.train, "test_labels.csv")
    for source in (*map(Path, CODE), competition, run / "merge_embedder", run / "merge_reranker"):
        place = INPUTS / ("code" if str(source) in CODE else "") / source.name
        shutil.copytree(source, place, ignore=hidden)
    rerun = {"KAGGLE_IS_COMPETITION_RERUN": "1"}
    paths = {"MALRULE_INPUT": str(INPUTS.resolve()), "MALRULE_OUT": str(out.resolve()), "MALRULE_PROFILE": "cpu"}
    # -I: the checkout is not on the kernel's path, only what it finds among its inputs
    return subprocess.run([sys.executable, "-I", str(KERNEL)], env={**os.environ, **rerun, **paths}).returncode


def _check_questions(questions: int) -> None:
    """Raise ValueError where a demo with another number of questions has been evaluated."""
    path = DATA / TASK.files.train
    if path.is_file() and any(is_whole(RUNS / name / "cv" / "evaluate") for name in DEMO):
        there = pl.read_csv(path, infer_schema=False).height
        if there != questions:
            raise ValueError(
                f"the demo was run with {there} questions, and questions={questions} would replace what it reached: "
                f"say questions={there}, or add --replace"
            )


def _score() -> tuple[float, int]:
    """(MAP@25 of the submission, the hidden answers that it is scored on)."""
    data = TASK.read(DATA, need_train=False)
    labelled = read_labels(DATA / "test_labels.csv", data.test)
    submission = read_submission(OUT, data.test, set(data.misconceptions["misconception_id"]))
    return score_submission(submission, labelled), len(labelled)
