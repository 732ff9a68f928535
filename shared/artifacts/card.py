"""Writes and reads card.json, which travels with a merged model and says how its prompts are put together."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from shared.artifacts.files import write_text
from shared.artifacts.verified import check_file
from shared.prompts.embedder import EmbedderPrompt, Example, Pooling
from shared.prompts.kinds import PROMPTS
from shared.prompts.pointwise import RerankerPrompt

POINTWISE = "pointwise"
UNWRITTEN = {  # what cards from before these settings do not say
    "rationale": "none",
    "rationale_tokens": 0,
    "description_tokens": 0,
    "layout": "plain",
}
CHECKED = ConfigDict(extra="forbid", strict=True)  # of the prompts inside too
Checked = TypeVar("Checked", bound=BaseModel)


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
    kind: str = POINTWISE  # what it reads at once; not written where it is this


class _Embedder(BaseModel):
    model_config = CHECKED

    pooling: Pooling
    prompt: EmbedderPrompt
    examples: tuple[tuple[int, int, Example], ...] = ()
    shown: Annotated[int, Field(ge=0)] = 0


class _Kind(BaseModel):
    """Which kind a reranker's card names, whatever else stands there."""

    kind: str = POINTWISE


def write_card(card: EmbedderCard | RerankerCard, folder: Path) -> None:
    """Write `folder`/card.json."""
    said = asdict(card)
    if said.get("kind") == POINTWISE:  # as in the cards of models from before there were kinds
        del said["kind"]
    for name, off in UNWRITTEN.items():  # or before there were texts and layouts
        if said["prompt"].get(name) == off:
            del said["prompt"][name]
    write_text(folder / "card.json", json.dumps(said, indent=1, ensure_ascii=False) + "\n")


def read_embedder_card(folder: Path) -> EmbedderCard:
    """The card of the embedder in `folder`. Raises ValueError where there is none, or a reranker's."""
    card = _read(folder, "embedder", _Embedder)
    return EmbedderCard(card.pooling, card.prompt, card.examples, card.shown)


def read_reranker_card(folder: Path) -> RerankerCard:
    """The card of the reranker in `folder`. Raises ValueError where there is none, or an embedder's."""
    kind = _read(folder, "reranker", _Kind).kind
    if kind not in PROMPTS:
        raise ValueError(
            f"{folder / 'card.json'} is no card of a reranker of this version: its kind is {kind!r}; "
            f"there are: {', '.join(PROMPTS)}"
        )
    form = create_model("_Reranker", __config__=CHECKED, prompt=(PROMPTS[kind], ...), kind=(Literal[kind], kind))
    return RerankerCard(_read(folder, "reranker", form).prompt, kind)


def _read(folder: Path, role: str, form: type[Checked]) -> Checked:
    path = folder / "card.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {folder} is no merged {role}; `just train` writes one")
    check_file(path)
    try:
        return form.model_validate_json(path.read_bytes())
    except ValidationError as error:
        if (other := _role_of(path)) not in ("", role):
            raise ValueError(f"{folder} holds the {other}, where the {role} is wanted: were the two swapped?") from None
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise ValueError(
            f"{path} is no card of {'an' if role == 'embedder' else 'a'} {role} of this version: {reason}"
        ) from None


def _role_of(path: Path) -> str:
    """The role of the model that a card is of, whatever else is wrong with it; "" where it is of none."""
    try:
        said = json.loads(path.read_bytes())
    except ValueError:
        return ""
    if not isinstance(said, dict) or not isinstance(prompt := said.get("prompt"), dict):
        return ""
    return "embedder" if "pooling" in said else "reranker" if "instruction" in prompt else ""
