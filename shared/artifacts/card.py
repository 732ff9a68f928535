"""Writes and reads card.json, which travels with a merged model and says how its prompts are put together."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from shared.artifacts.files import write_text
from shared.prompts.embedder import EmbedderPrompt, Example, Pooling
from shared.prompts.pointwise import RerankerPrompt

POINTWISE = "pointwise"
CHECKED = ConfigDict(extra="forbid")  # of the prompts inside too


@dataclass(frozen=True, config=CHECKED)
class EmbedderCard:
    pooling: Pooling
    prompt: EmbedderPrompt
    examples: tuple[
        tuple[int, int, Example], ...
    ] = ()  # (question_id, misconception_id, example), in order of preference
    shown: int = 0  # examples in front of a query


@dataclass(frozen=True, config=CHECKED)
class RerankerCard:
    prompt: RerankerPrompt
    kind: str = POINTWISE  # how it reads candidates; not written where it is this


Card = TypeVar("Card", EmbedderCard, RerankerCard)


def write_card(card: EmbedderCard | RerankerCard, folder: Path) -> None:
    """Write `folder`/card.json."""
    said = asdict(card)
    if said.get("kind") == POINTWISE:  # as in the cards of models from before there were kinds
        del said["kind"]
    write_text(folder / "card.json", json.dumps(said, indent=1, ensure_ascii=False) + "\n")


def read_embedder_card(folder: Path) -> EmbedderCard:
    """The card of the embedder in `folder`. Raises ValueError where there is none, or another kind's."""
    return _read(folder, "embedder", EmbedderCard)


def read_reranker_card(folder: Path) -> RerankerCard:
    """The card of the reranker in `folder`. Raises ValueError where there is none, or another kind's."""
    return _read(folder, "reranker", RerankerCard)


def _read(folder: Path, role: str, card: type[Card]) -> Card:
    path = folder / "card.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {folder} is no merged {role}; `just train` writes one")
    try:
        return TypeAdapter(card).validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise ValueError(f"{path} is no card of a {role} of this version: {reason}") from None
