"""Chooses the solved examples (shots) that a writer is shown in front of a row: training rows with a text about each.

All rows are shown the same ones, so that these are computed once; only a row of a shot's own question, or of one near
it, is shown the next one instead. They travel in SHOTS_FILE, and a prediction shows what training was shown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from inference.writing.clean import clean
from inference.writing.replay import Texts
from shared.artifacts.files import write_json
from shared.prompts.query import row_text
from shared.task.folds import labelled_queries, seed_of
from shared.task.near_duplicates import group_near, near_pairs

SHOTS_FILE = "shots.json"


@dataclass(frozen=True)
class Shot:
    """A training row, and what was written about it."""

    query_id: str
    question: str
    row: str  # as a writer reads it
    texts: Mapping[str, str]  # {kind: text}


@dataclass(frozen=True)
class Shots:
    """`count` of these are shown to a row. Questions of a Jaccard index >= `similar` are near each other."""

    count: int
    similar: float
    shots: tuple[Shot, ...]

    def of(self, questions: Sequence[str]) -> dict[str, tuple[Shot, ...]]:
        """{text of a question: the shots that its rows are shown}, none of its own question or of one near it."""
        asked, shown = sorted(set(questions)), [shot.question for shot in self.shots]
        near = set(near_pairs(asked, shown, self.similar))
        return {
            question: tuple(
                shot
                for number, shot in enumerate(self.shots)
                if question != shot.question and (place, number) not in near
            )[: self.count]
            for place, question in enumerate(asked)
        }


def choose_shots(
    queries: pl.DataFrame, texts: Texts, kinds: Sequence[str], count: int, similar: float, seed: str
) -> Shots:
    """One more than `count` labelled training rows of QUERIES with all `kinds` of text, no two of near questions.

    Raises ValueError where there are fewer.
    """
    train = labelled_queries(queries, "train")
    asked = train["question"].unique().sort().to_list()
    group_of = dict(zip(asked, group_near(asked, similar), strict=True))
    ids = sorted(train["query_id"].to_list(), key=lambda query_id: seed_of(seed, "shot", query_id))
    rows = {row["query_id"]: row for row in train.drop("misconception_id").iter_rows(named=True)}
    chosen: dict[int, Shot] = {}
    for query_id in ids:
        row, own = rows[query_id], texts.get(query_id, {})
        told = {kind: clean(kind, own.get(kind, ""), finished=True)[0] for kind in kinds}
        if all(told.values()) and len(chosen) <= count:
            chosen.setdefault(group_of[row["question"]], Shot(query_id, row["question"], row_text(row), told))
    if len(chosen) <= count:
        raise ValueError(
            f"it has texts about {len(chosen)} labelled training questions that are not near each other, and {count} "
            f"shots need {count + 1} of them"
        )
    return Shots(count, similar, tuple(chosen.values()))


def write_shots(shots: Shots, folder: Path) -> None:
    """Write SHOTS_FILE into `folder`."""
    write_json(folder / SHOTS_FILE, asdict(shots))


def find_shots(folder: Path, named: Path | None, kinds: Sequence[str]) -> Shots | None:
    """The solved examples that the writer in `folder` is shown: those of the file `named`, or its folder's own, if any.

    Raises ValueError for a file that has none, or not of these kinds of text.
    """
    path = named or folder / SHOTS_FILE
    return _read_shots(path, kinds) if named or path.is_file() else None


def _read_shots(path: Path, kinds: Sequence[str]) -> Shots:
    try:
        said = json.loads(path.read_bytes())
        shots = Shots(said["count"], said["similar"], tuple(Shot(**shot) for shot in said["shots"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no solved examples for a writer ({error}): explain makes it") from None
    if lacking := [kind for kind in kinds if not all(kind in shot.texts for shot in shots.shots)]:
        raise ValueError(f"{path} has no texts of kind {lacking[0]}, which a model reads: explain.kinds writes them")
    return shots
