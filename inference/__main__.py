"""The command line of what runs inside the Kaggle kernel: predict a submission, or score one against known answers."""

import argparse
import sys
from pathlib import Path

from shared.settings import Engine


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 and one sentence on standard error for what a person got wrong."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference", description=__doc__)
    commands = parser.add_subparsers(required=True)
    predict = commands.add_parser("predict", help="write submission.csv")
    predict.set_defaults(run=_predict)
    predict.add_argument("--profile", required=True, help="a section of inference/profiles.toml")
    for name, what in {
        "competition": "folder with test.csv and misconception_mapping.csv",
        "embedder": "folder of the merged embedder",
        "reranker": "folder of the merged reranker",
        "out": "submission.csv to write",
    }.items():
        predict.add_argument(f"--{name}", required=True, type=Path, help=what)
    predict.add_argument("--engine", choices=Engine.__args__, default="vllm")
    predict.add_argument("--depth", type=int, default=25, help="candidates that are reranked")
    score = commands.add_parser(
        "score", help="MAP@25 of a submission against a file of the same form with the right ids"
    )
    score.set_defaults(run=_score)
    for name in ("competition", "submission", "labels"):
        score.add_argument(f"--{name}", required=True, type=Path)
    return parser


def _predict(options: argparse.Namespace) -> None:
    from inference.predict import predict  # imports torch

    predict(
        options.competition,
        options.embedder,
        options.reranker,
        options.out,
        profile=options.profile,
        engine=options.engine,
        depth=options.depth,
    )


def _score(options: argparse.Namespace) -> None:
    from inference.submission import read_labels, read_submission, score_submission
    from shared.competition import read_competition

    data = read_competition(options.competition, need_train=False)
    known = set(data.misconceptions["misconception_id"])
    submission = read_submission(options.submission, data.test, known)
    labelled = read_labels(options.labels, data.test)
    print(f"MAP@25 {score_submission(submission, labelled):.4f} over {len(labelled)} labelled rows")


if __name__ == "__main__":
    sys.exit(main())
