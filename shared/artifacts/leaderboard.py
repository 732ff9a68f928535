"""Keeps the leaderboard score of a run beside it, in submission.json, which `just submit` writes as well."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from shared.artifacts.files import write_json
from shared.artifacts.manifest import digest, is_whole

SCORE_FILE = "submission.json"
MODELS = ("merge_embedder", "merge_reranker")


def _is_number(text: str | None) -> str | None:
    if text:
        float(text)
    return text


Points = Annotated[str | None, AfterValidator(_is_number)]  # in Kaggle's words: "0.481", "" before it is known


class ScoreRecord(BaseModel):
    """What submission.json holds of a run: the submission, where `just submit` made it, and what it scored."""

    model_config = ConfigDict(frozen=True, extra="allow", coerce_numbers_to_str=True)

    ref: int | None = None  # Kaggle's number of the submission
    kernel: str | None = None  # "owner/slug", and its version
    version: int | None = None
    digest: str | None = None  # of what the kernel runs on
    sources: dict[str, Any] | None = None  # {dataset: its version and digest}
    models: dict[str, str] = {}  # {stage: digest} of the merged models that the score is of
    public_score: Points = None
    private_score: Points = None
    time: str | None = None  # ISO 8601, in UTC

    def record(self) -> dict[str, Any]:
        """What the file holds: the fields that were said, in the order above."""
        return self.model_dump(exclude_unset=True)


@dataclass(frozen=True)
class Score:
    """What the leaderboard said; `current` is False when a model of the run is another one by now."""

    public: float | None
    private: float | None
    current: bool


def read_score(run: Path) -> Score | None:
    """The score of `run`, None where none was recorded. Raises ValueError for a file that is not a record of one."""
    record = read_score_record(run)
    if record is None:
        return None
    public, private = (float(text) if text else None for text in (record.public_score, record.private_score))
    current = all(now == record.models.get(name, now) for name, now in models_of(run).items())
    return Score(public, private, current)


def read_score_record(run: Path) -> ScoreRecord | None:
    """What `run`/submission.json holds, None where there is none. Raises ValueError for a file of another kind."""
    path = run / SCORE_FILE
    if not path.is_file():
        return None
    try:
        return ScoreRecord.model_validate_json(path.read_bytes())
    except ValueError:
        raise ValueError(f"{path} holds no score: remove it and enter the score with `just lb`") from None


def write_score(run: Path, *, time: str, public: str | None, private: str | None) -> None:
    """Record a score that a person saw, as text; what is None stays as it was recorded for the same models."""
    score = read_score(run)
    before = read_score_record(run).record() if score and score.current else {}
    given = {"public_score": public, "private_score": private}
    said = {**before, **{key: text for key, text in given.items() if text}, "models": models_of(run), "time": time}
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / SCORE_FILE, ScoreRecord.model_validate(said).record())


def models_of(run: Path) -> dict[str, str]:
    """The digests of the run's merged models, as far as they are there: what a score is of."""
    return {name: digest(run / name) for name in MODELS if is_whole(run / name)}
