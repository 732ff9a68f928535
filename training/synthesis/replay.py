"""Checks a file of written questions against a competition's folder, and writes the table with what was found."""

import argparse
from pathlib import Path

import polars as pl

from shared.task.eedi import EEDI
from training.synthesis.read_file import read_questions
from training.synthesis.schema import SYNTHETIC
from training.synthesis.table import Limits, checked_table, count_reasons

SIMILAR = 0.75  # as prepare.similar: from here on, real questions share a story or a picture


def replay(file: Path, competition: Path, limits: Limits) -> tuple[pl.DataFrame, list[str]]:
    """SYNTHETIC of the questions in `file`, and why each row that is none is none.

    They are held against the real questions of all folds of the folder `competition`. Raises ValueError for a defect of
    the files.
    """
    data = EEDI.read(competition)
    questions, unusable = read_questions(file, set(data.misconceptions["misconception_id"]))
    real = [*data.train["question"], *data.test["question"]]
    sources = {one.name: (file.name, "") for one in questions}
    table = checked_table(questions, real, data.misconceptions, limits, sources)
    return table, [one.reason for one in unusable]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.synthesis.replay", description=__doc__)
    parser.add_argument("file", type=Path, help="written questions, in the form of train.csv without its ids")
    parser.add_argument("out", type=Path, help="the folder that gets synthetic.parquet")
    parser.add_argument("--competition", type=Path, default=Path("data/eedi"))
    parser.add_argument("--ease-rank", type=int, default=1, help="0 caps nothing")
    parser.add_argument("--ease-words", type=float, default=0.8)
    parser.add_argument("--most", type=int, default=8, help="questions of a misconception that are kept")
    args = parser.parse_args()
    try:
        limits = Limits(SIMILAR, args.ease_rank, args.ease_words, args.most)
        table, unusable = replay(args.file, args.competition, limits)
    except ValueError as error:
        parser.error(str(error))
    SYNTHETIC.write(table, args.out)
    for reason, dropped, left in count_reasons(table, unusable):
        print(f"{reason:<16}{dropped:>7}{left:>8}")
    print(f"{table['keep'].sum()} of {len(table) + len(unusable)} kept: {SYNTHETIC.path(args.out)}")


if __name__ == "__main__":
    main()
