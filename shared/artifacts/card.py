"""Writes and reads card.json, which travels with a merged model and says how its prompts are put together."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from shared.prompts.embedder import EmbedderPrompt, Example
from shared.prompts.kinds import PROMPTS
from shared.prompts.pointwise import RerankerPrompt
from shared.settings.sections import Pooling, Reranker


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
    prompt: RerankerPrompt  # or the class of another kind, see shared/prompts/kinds.py
    kind: str = "pointwise"  # of the reranker: what it reads at once


def new_reranker_card(section: Reranker) -> RerankerCard:
    """The card of a reranker that is trained with these settings: its prompt's fields are named as they are."""
    prompt = PROMPTS[section.kind]
    names = {field.name for field in fields(prompt)}
    return RerankerCard(prompt(**section.model_dump(include=names)), section.kind)


def write_card(card: EmbedderCard | RerankerCard, folder: Path) -> None:
    """Write `folder`/card.json."""
    content = asdict(card)
    if content.get("kind") == "pointwise":
        del content["kind"]  # cards were written without before there were other kinds: the files stay the same
    (folder / "card.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_embedder_card(folder: Path) -> EmbedderCard:
    """The card of the embedder in `folder`. Raises ValueError where there is none, or a reranker's."""

    def build(card: dict) -> EmbedderCard:
        examples = tuple((question, answer, Example(**example)) for question, answer, example in card.pop("examples"))
        return EmbedderCard(prompt=EmbedderPrompt(**card.pop("prompt")), examples=examples, **card)

    return _read(folder, "embedder", build)


def read_reranker_card(folder: Path) -> RerankerCard:
    """The card of the reranker in `folder`. Raises ValueError where there is none, or an embedder's."""

    def build(card: dict) -> RerankerCard:
        kind = card.pop("kind", "pointwise")
        if kind not in PROMPTS:
            raise ValueError(f"its kind is {kind!r}; there are: {', '.join(PROMPTS)}")
        return RerankerCard(prompt=PROMPTS[kind](**card.pop("prompt")), kind=kind, **card)

    return _read(folder, "reranker", build)


def _read(folder: Path, role: str, build: Callable[[dict], EmbedderCard | RerankerCard]):
    path = folder / "card.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {folder} is no merged {role}; `just train` writes one")
    try:
        return build(json.loads(path.read_text()))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no card of a {role} of this version: {error}") from None
