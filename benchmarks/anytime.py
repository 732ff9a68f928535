"""Measures how good the submission is at every moment of a prediction: MAP@25 of each file that stands there in turn.

    python -m benchmarks.anytime RUN [--questions 240] [--profile cpu] [--out FILE.json]

RUN is an evaluated run of the demo. So many questions are generated anew, with known answers; what is written
is seconds and figures, no text.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared.task.current import TASK
from shared.task.submission import read_labels, read_submission, score_submission
from training.synthesis.malrules.generate import write_competition

POLL_SECONDS = 0.1  # Files that stand there for less are not seen.


def main(run: Path, questions: int, profile: str, out: Path) -> None:
    """Predict with the models of `run` and write {"rows", "labelled", "points": [[seconds, figure], ...]} to `out`."""
    with tempfile.TemporaryDirectory() as place:
        data, submission = Path(place, "data"), Path(place, "out", TASK.submission.file)
        submission.parent.mkdir()
        write_competition(data, questions=240, test_questions=questions)
        points = _watch(_command(run, data, submission, profile), data, submission)
        test = TASK.read(data, need_train=False).test
        labelled = read_labels(data / "test_labels.csv", test)
    found = {"metric": TASK.metric.title, "profile": profile, "rows": len(test), "labelled": len(labelled)}
    out.write_text(json.dumps({**found, "points": points}) + "\n", encoding="utf-8")
    print(f"{out}: {len(points)} files, {points[0][1]:.3f} at first and {points[-1][1]:.3f} in the end")


def _command(run: Path, data: Path, submission: Path, profile: str) -> list[str]:
    models = ["--embedder", str(run / "merge_embedder"), "--reranker", str(run / "merge_reranker")]
    limit = ["--limit-seconds", "7200"]  # far away: what is looked at is the way there
    return [
        *(sys.executable, "-m", "inference", "predict", "--profile", profile, "--competition", str(data)),
        *(*models, "--out", str(submission), *limit),
    ]


def _watch(command: list[str], data: Path, submission: Path) -> list[tuple[float, float]]:
    """(seconds since the start, figure) of every file that was seen."""
    competition = TASK.read(data, need_train=False)
    labelled = read_labels(data / "test_labels.csv", competition.test)
    known, points, last, start = set(competition.misconceptions["misconception_id"]), [], None, time.monotonic()
    process = subprocess.Popen(command)
    while True:
        running = process.poll() is None
        seconds = round(time.monotonic() - start, 1)
        if submission.is_file() and (content := submission.read_bytes()) != last:
            last = content
            points.append((seconds, round(_score(submission, competition.test, known, labelled), 4)))
        if not running:
            break
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise SystemExit(f"predict ended with status {process.returncode}")
    return [*points, (seconds, points[-1][1])]


def _score(submission: Path, test, known: set[int], labelled) -> float:
    return score_submission(read_submission(submission, test, known), labelled)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--questions", type=int, default=240)
    parser.add_argument("--profile", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/measured/anytime_demo.json"))
    options = parser.parse_args()
    main(options.run, options.questions, options.profile, options.out)
