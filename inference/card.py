"""Writes and reads card.json, which travels with a merged model and says how its prompts are put together."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.prompts import EmbedderPrompt, Example, RerankerPrompt
from shared.settings import Pooling


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
    """The card of the embedder in `folder`. Raises ValueError where there is none."""
    card = _read(folder, "embedder", {"pooling", "prompt", "examples", "shown"})
    examples = tuple((question, answer, Example(**example)) for question, answer, example in card["examples"])
    return EmbedderCard(card["pooling"], EmbedderPrompt(**card["prompt"]), examples, card["shown"])


def read_reranker_card(folder: Path) -> RerankerCard:
    """The card of the reranker in `folder`. Raises ValueError where there is none."""
    return RerankerCard(RerankerPrompt(**_read(folder, "reranker", {"prompt"})["prompt"]))


def _read(folder: Path, kind: str, keys: set[str]) -> dict:
    path = folder / "card.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {folder} is no merged {kind}; `just train` writes one")
    card = json.loads(path.read_text())
    if set(card) != keys:
        raise ValueError(f"{path} is no card of a {kind}: it has {sorted(card)}, expected {sorted(keys)}")
    return card
