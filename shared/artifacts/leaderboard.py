"""Keeps the leaderboard score of a run beside it, in submission.json, which `just submit` writes as well."""

import json
from dataclasses import dataclass
from pathlib import Path

from shared.artifacts.files import write_json
from shared.artifacts.manifest import MANIFEST, digest

SCORE_FILE = "submission.json"
MODELS = ("merge_embedder", "merge_reranker")


@dataclass(frozen=True)
class Score:
    """What the leaderboard said; `current` is False when a model of the run is another one by now."""

    public: float | None
    private: float | None
    current: bool


def read_score(run: Path) -> Score | None:
    """The score of `run`, None where none was recorded. Raises ValueError for a file that is not a record of one."""
    path = run / SCORE_FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text())
        scores = [float(record[key]) if record.get(key) else None for key in ("public_score", "private_score")]
        models = record.get("models", {})
        return Score(*scores, all(now == models.get(name, now) for name, now in models_of(run).items()))
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"{path} holds no score: remove it and enter the score with `just lb`") from None


def write_score(run: Path, *, time: str, public: str | None, private: str | None) -> None:
    """Record a score that a person saw, as text; what is None stays as it was recorded for the same models."""
    path, models = run / SCORE_FILE, models_of(run)
    known = read_score(run)
    before = json.loads(path.read_text()) if known and known.current else {}
    given = {"public_score": public, "private_score": private}
    record = {**before, **{key: text for key, text in given.items() if text}, "models": models, "time": time}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


def models_of(run: Path) -> dict[str, str]:
    """The digests of the run's merged models, as far as they are there: what a score is of."""
    return {name: digest(run / name) for name in MODELS if (run / name / MANIFEST).is_file()}
