"""Reads a JSON file into a model, or says in one sentence which key of it is wrong."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

STRICT = ConfigDict(frozen=True, strict=True, extra="ignore")  # a file of a later version may say more
Model = TypeVar("Model", bound=BaseModel)


def parse_json(model: type[Model], content: bytes, path: Path, advice: str) -> Model:
    """The `model` in `content`, which was read from `path`. Raises ValueError naming file and key, and never the value.

    A value may be the address of an upload, which is a secret. `advice` says what to do about it.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as errors:
        error = errors.errors()[0]
        key = ".".join(str(part) for part in error["loc"])
        raise ValueError(f"{path}: {key + ': ' if key else ''}{error['msg']}: {advice}") from None
