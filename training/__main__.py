"""The command line of training: a whole iteration through DVC, or any one stage; torchrun is started from here.

    python -m training train iter=1 [split=cv] [section.key=value ...]   bring iterations 0 and 1 up to date
    python -m training plan iter=1 [split=...] [section.key=value ...]        say what train would run, and why
    python -m training settings iter=1 [split=...] [section.key=value ...]    only resolve and write the settings
    python -m training cv iter=1 [draws=4] [section.key=value ...]            train and evaluate every split, one table
    python -m training cv-table iter=1 [draws=4]                              only the table, of what is evaluated
    python -m training compare a=RUN b=RUN                                    is b better than a, and by how much
    python -m training calibrate iter=1                                       fit depth, blend and offset on the draws
    python -m training report [iter=1] [split=...]                            print a run's figures, write report.html
    python -m training runs                                                   print all runs, with leaderboard scores
    python -m training lb iter=1 public=0.505 [private=...] [split=full]      record a score seen on the leaderboard
    python -m training quantize iter=1 [split=...] [scheme=awq] [role=...]    make 4- or 8-bit models, measure the loss
    python -m training clean iter=1 [split=...] [stage=STAGE]                 delete a stage's output, or a whole run's
    python -m training check-data path=DIR                                    check the competition's files in DIR
    python -m training demo                                                   the whole job on generated questions
    python -m training STAGE RUN                                              one stage of a run folder, without DVC
    python -m training all RUN                                                every stage of a run folder, without DVC

STAGE is a stage's name with - or _, RUN a folder like runs/iter1/cv.
iter takes a number or a folder of training/iterations.
"""

import sys
from pathlib import Path

from shared.settings.load import read_settings


def main(arguments: list[str]) -> int:
    """Run one command; 2 and one sentence on standard error for what a person got wrong."""
    try:
        return _run(arguments)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; repeat the command to go on where it was", file=sys.stderr)
        return 130


def _run(arguments: list[str]) -> int:
    command, rest = (arguments[0].replace("-", "_"), arguments[1:]) if arguments else ("", [])
    if command in ("train", "plan", "settings", "report", "calibrate", "quantize", "clean", "check_data"):
        from training.pipeline import train as pipeline

        return getattr(pipeline, command)(rest)
    if command in ("cv", "cv_table"):
        from training.analysis import cv

        return getattr(cv, command)(rest)
    if command in ("runs", "lb"):
        from training.analysis import runs as experiments

        return getattr(experiments, command)(rest)
    if command == "compare":
        from training.analysis.compare import compare

        return compare(rest)
    if command == "demo":
        from training.demo import demo

        return demo(rest)
    from training.pipeline.stages import STAGES, stages_of

    if command == "worker":  # started by torchrun from training/pipeline/run_stage.py
        from training.pipeline.run_stage import work

        work(rest[0], Path(rest[1]), rest[2])
        return 0
    if command not in (*STAGES, "all") or len(rest) != 1:
        print(__doc__, file=sys.stderr)
        raise ValueError(f"{' '.join(arguments)!r} is no command; the stages are: {', '.join(STAGES)}")
    from training.pipeline.run_stage import run_stage

    run = _run_folder(rest[0])
    previous = read_settings(run).iteration.previous
    for name in [stage.name for stage in stages_of(run.name, previous)] if command == "all" else [command]:
        run_stage(name, run)
    return 0


def _run_folder(text: str) -> Path:
    path = Path(text)
    if len(path.parts) != 3 or path.parts[0] != "runs":
        raise ValueError(f"{text!r} is no run folder like runs/iter1/cv")
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
