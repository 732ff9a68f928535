"""The command line of what runs inside the Kaggle kernel: predict a submission, or score one against known answers."""

import argparse
import math
import os
import signal
import sys
import time
from pathlib import Path

from inference.fusion.ensemble import Average, Models, read_member
from shared.artifacts.files import die_with_parent
from shared.settings.sections import Engine


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    2 and one sentence on standard error for what a person got wrong; 3 for a valid submission in spite of a failure.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    try:
        return options.run(options, arguments) or 0
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference", description=__doc__)
    commands = parser.add_subparsers(required=True)
    predict = commands.add_parser("predict", help="write submission.csv")
    predict.set_defaults(run=_predict)
    predict.add_argument("--profile", required=True, help="a section of inference/machine/profiles.toml")
    for name, what in {
        "competition": "folder with test.csv and misconception_mapping.csv",
        "out": "submission.csv to write",
    }.items():
        predict.add_argument(f"--{name}", required=True, type=Path, help=what)
    for name in ("embedder", "reranker"):
        what = f"folder of a merged {name}, and its weight beside others; again for each further one"
        predict.add_argument(f"--{name}", required=True, action="append", metavar="DIR[=WEIGHT]", help=what)
    predict.add_argument("--average", choices=Average.__args__, default="score", help="what several models blend")
    predict.add_argument("--engine", choices=Engine.__args__, default="vllm")
    predict.add_argument("--depth", type=int, help="candidates that are reranked; else the calibration's, else 25")
    predict.add_argument("--no-calibration", action="store_true", help="ignore the reranker's calibration.json")
    predict.add_argument("--vectors", type=Path, metavar="DIR", help="remember vectors there: encode what changed only")
    predict.add_argument("--limit-seconds", type=float, help="be done, as well as possible, so many seconds from now")
    predict.add_argument(
        "--margin-seconds", type=float, default=300.0, help="before that limit; half of it for a stall"
    )
    predict.add_argument(
        "--ray", metavar="ADDRESS", help="let a Ray cluster do it (auto: this machine's), without a limit"
    )
    predict.add_argument("--workers", type=int, default=1, help="of the Ray cluster, with a GPU each")
    predict.add_argument("--deadline", type=float, help=argparse.SUPPRESS)  # of the guarded process, by its clock
    score = commands.add_parser(
        "score", help="MAP@25 of a submission against a file of the same form with the right ids"
    )
    score.set_defaults(run=_score)
    for name in ("competition", "submission", "labels"):
        score.add_argument(f"--{name}", required=True, type=Path)
    doctor = commands.add_parser("doctor", help="say what this machine has, which profiles fit, what would fail")
    doctor.set_defaults(run=_doctor)
    doctor.add_argument("--profile", default="", help="judge this one alone; 2 is returned where it would fail")
    doctor.add_argument("--model", action="append", default=[], type=Path, help="folder of a model; again for another")
    return parser


def _predict(options: argparse.Namespace, arguments: list[str]) -> int:
    from inference.predict.watchdog import DEGRADED, run_guarded

    if options.deadline is not None:
        die_with_parent(signal.SIGKILL)  # nobody else would end this process in time
    elif options.limit_seconds is not None:
        if options.ray is not None:
            raise ValueError("--limit-seconds is for one machine: leave it or --ray out")
        limit, margin = options.limit_seconds, options.margin_seconds
        if not 0 <= margin < limit:
            raise ValueError(f"--margin-seconds {margin:g} is not between 0 and --limit-seconds, {limit:g}")
        return run_guarded(arguments, options.out, limit, margin, time.monotonic())
    from inference.fusion.calibration import calibration_of
    from inference.predict.anytime import Limit, say_loudly
    from inference.predict.predict import predict

    members = (tuple(map(read_member, texts)) for texts in (options.embedder, options.reranker))
    models = Models(*members, options.average)
    calibration = calibration_of(models, depth=options.depth, ignore=options.no_calibration)
    how = {"profile": options.profile, "engine": options.engine, "calibration": calibration}
    if options.ray is not None:
        if options.vectors is not None:
            raise ValueError("--vectors is for one machine: leave it or --ray out")
        from inference.predict.ray_cluster import connect, predict_with_ray

        connect(options.ray)
        predict_with_ray(options.competition, models, options.out, workers=options.workers, **how)
        return 0
    limit = Limit(math.inf if options.deadline is None else options.deadline)
    report = predict(options.competition, models, options.out, vectors=options.vectors, limit=limit, **how)
    if report["failed"]:
        say_loudly(f"{', '.join(report['failed'])} failed: {options.out} is the best result without")
        return DEGRADED
    return 0


def _doctor(options: argparse.Namespace, arguments: list[str]) -> int:
    from inference.machine.doctor import doctor

    return doctor(options.profile, options.model)


def _score(options: argparse.Namespace, arguments: list[str]) -> None:
    from shared.task.competition import read_competition
    from shared.task.submission import read_labels, read_submission, score_submission

    data = read_competition(options.competition, need_train=False)
    known = set(data.misconceptions["misconception_id"])
    submission = read_submission(options.submission, data.test, known)
    labelled = read_labels(options.labels, data.test)
    print(f"MAP@25 {score_submission(submission, labelled):.4f} over {len(labelled)} labelled rows")


if __name__ == "__main__":
    status = main()
    if "--deadline" in sys.argv:  # all is written: nobody waits for an engine that hangs while it goes
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)
