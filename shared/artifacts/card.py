"""Writes and reads card.json, which travels with a merged model and says how its prompts are put together."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.prompts.embedder import EmbedderPrompt, Example
from shared.prompts.pointwise import RerankerPrompt
from shared.settings.sections import Pooling


@dataclass(frozen=True)
class EmbedderCard:
    pooling: Pooling
    prompt: EmbedderPrompt
    examples: tuple[
        tuple[int, int, Example], ...
    ] = ()  # (question_id, misconception_id, example), in order of preference
    shown: int = 0  # examples in front of a query


@dataclass(frozen=True)
class RerankerCard:
    prompt: RerankerPrompt


def write_card(card: EmbedderCard | RerankerCard, folder: Path) -> None:
    """Write `folder`/card.json."""
    (folder / "card.json").write_text(json.dumps(asdict(card), indent=1, ensure_ascii=False) + "\n")


def read_embedder_card(folder: Path) -> EmbedderCard:
    """The card of the embedder in `folder`. Raises ValueError where there is none, or another kind's."""

    def build(card: dict) -> EmbedderCard:
        examples = tuple((question, answer, Example(**example)) for question, answer, example in card.pop("examples"))
        return EmbedderCard(prompt=EmbedderPrompt(**card.pop("prompt")), examples=examples, **card)

    return _read(folder, "embedder", build)


def read_reranker_card(folder: Path) -> RerankerCard:
    """The card of the reranker in `folder`. Raises ValueError where there is none, or another kind's."""
    return _read(folder, "reranker", lambda card: RerankerCard(prompt=RerankerPrompt(**card.pop("prompt")), **card))


def _read(folder: Path, kind: str, build: Callable[[dict], EmbedderCard | RerankerCard]):
    path = folder / "card.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {folder} is no merged {kind}; `just train` writes one")
    try:
        return build(json.loads(path.read_text()))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no card of a {kind} of this version: {error}") from None
