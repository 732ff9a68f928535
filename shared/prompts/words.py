"""Says what a tokenizer is to a prompt: a plain value, so that prompts are made without any heavy import.

Every string that a model ever sees, in training and in serving, is made in this folder and nowhere else. A prompt is
put together from token ids, part by part: only the query, never the frame around it, can be cut, the part in front of
the query is the same ids for every query (so its computation can be shared), and text inside a query can never become
a special token.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from shared.prompts.query import Written

THINKING, MEANING = "\nThinking: ", "\nMeaning: "  # in front of a query's rationales, of a misconception's description

Length = Annotated[int, Ge(1)]  # in tokens; whoever reads a card checks it
MaybeLength = Annotated[int, Ge(0)]  # 0: there is none


@dataclass(frozen=True)
class Words:
    """A tokenizer as a value: `encode` turns a user's text into ids, none of them special; head and tail frame them.

    `frame` turns our own words around a text into ids, special ones where the model has them (bge-en-icl has
    <instruct>). `end` is a decoder's end token, which follows only where the embedder's prompt asks for it.
    """

    encode: Callable[[str], list[int]]
    frame: Callable[[str], list[int]]
    head: tuple[int, ...]  # [CLS] or the beginning of a sequence, where the model has one
    tail: tuple[int, ...]  # [SEP], where the model has one
    end: tuple[int, ...] = ()

    def cut(self, written: Written, tokens: int, label: str, note_tokens: int) -> list[int]:
        """Ids of a text and, behind the label, of its notes, each cut at its own length; no notes, no label.

        Of a query that is too long the question loses its end, and the answers behind it stay.
        """
        ids = self._fit(written, tokens)
        if not (written.notes and note_tokens):
            return ids
        return [*ids, *self.frame(label), *self.encode(written.notes)[:note_tokens]]

    def _fit(self, written: Written, tokens: int) -> list[int]:
        ids = self.encode(written.text)
        if len(ids) <= tokens or not written.ending:
            return ids[:tokens]
        ending = self.encode(written.ending)[-tokens:]
        before = self.encode(written.text.removesuffix(written.ending))
        return [*before[: tokens - len(ending)], *ending]
