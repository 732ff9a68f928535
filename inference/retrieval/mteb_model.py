"""Lets MTEB measure a trained embedder: it encodes queries and documents as the embedder that serves does.

    from mteb import MTEB, get_tasks
    MTEB(get_tasks(["NFCorpus"])).run(MtebModel(Path("runs/cranfield0/cv/merge_embedder"), serving))

MTEB itself is not needed here. Both of its interfaces are served: the older gives `sentences`, a list, and the newer an
iterable of batches, each with its texts in "text".
"""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from inference.engines.open import open_encoder
from inference.engines.serving import Serving
from inference.engines.tokenizer import embedder_words, load_tokenizer
from shared.artifacts.card import read_embedder_card
from shared.prompts.embedder import embedder_passage, embedder_query
from shared.prompts.query import Written


class MtebModel:
    """The embedder in `folder`, open until `close`. MTEB calls `encode` and `similarity`."""

    def __init__(self, folder: Path, serving: Serving):
        self.card, self.words = read_embedder_card(folder), embedder_words(load_tokenizer(folder))
        self.stack = ExitStack()
        self.encoder = self.stack.enter_context(
            open_encoder(serving.engine, folder, self.card.pooling, serving.profile)
        )

    def encode(self, inputs: Iterable[Any], *, prompt_type: object = None, **_: object) -> np.ndarray:
        """Vectors float32 [texts, width] of length 1: of queries where `prompt_type` is "query", else of documents.

        A query stands behind the card's first examples, as when the embedder serves: none is known to be of its own
        question.
        """
        texts, asked = _texts(inputs), getattr(prompt_type, "value", prompt_type) == "query"
        return self.encoder.encode([self._query(text) if asked else self._passage(text) for text in texts])

    def similarity(self, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """Cosines [queries, documents], for the vectors have length 1."""
        return np.asarray(queries) @ np.asarray(documents).T

    def close(self) -> None:
        self.stack.close()

    def _query(self, text: str) -> list[int]:
        examples = [example for _, _, example in self.card.examples[: self.card.shown]]
        return embedder_query(self.words, self.card.prompt, examples, Written(text))

    def _passage(self, text: str) -> list[int]:
        return embedder_passage(self.words, self.card.prompt, Written(text))


def _texts(inputs: Iterable[Any]) -> list[str]:
    texts: list[str] = []
    for item in inputs:
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(item["text"], str):  # a document of the older interface, with its title apart
            texts.append("\n".join(filter(None, (item.get("title", ""), item["text"]))))
        else:
            texts += item["text"]
    return texts
