"""Says what a reranker's base is: a language model, a decoder's classifier, or an encoder."""

from pathlib import Path
from typing import Literal

from shared.artifacts.json_files import read_json
from shared.artifacts.sentence_folder import AGAIN, ENCODERS

Form = Literal["language model", "classifier", "cross-encoder"]


def form_of(folder: Path) -> Form:
    """The form of the base in `folder`, from its config.json alone."""
    said = read_json(folder / "config.json", AGAIN)
    if said.get("model_type") in ENCODERS:
        return "cross-encoder"
    names = said.get("architectures") or [""]
    return "classifier" if str(names[0]).endswith("ForSequenceClassification") else "language model"
