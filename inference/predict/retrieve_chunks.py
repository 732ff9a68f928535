"""Finds the candidates of every test row with one embedder after the other, chunk by chunk."""

import os
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from inference.engines.answers import answered
from inference.engines.open import open_encoder
from inference.engines.progress import Meter
from inference.engines.protocols import Encoder
from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.fusion.blend import blend_candidates
from inference.predict.anytime import say_loudly
from inference.predict.losses import FAILED, NEVER_READ, NO_ANSWER, keep_losses
from inference.predict.patience import Patience
from inference.predict.state import Prediction, size_of
from inference.retrieval.catalogue_vectors import encode_misconceptions, read_vectors
from inference.retrieval.descriptions import described
from inference.retrieval.retrieve import find_candidates, query_prompts
from inference.retrieval.sharded_corpus import write_corpus
from inference.retrieval.vector_cache import RememberingEncoder, VectorStore, model_key
from shared.artifacts.card import EmbedderCard, read_embedder_card
from shared.prompts.words import Words

LARGE = 100_000  # misconceptions whose vectors are kept on disk instead of in memory: 2 GB at width 5,120


def find_all(prediction: Prediction) -> None:
    """Find candidates with every embedder for which there is time."""
    took = 0.0
    for number, member in enumerate(prediction.models.embedders):
        first = prediction.models.embedders[0]
        expected = took * size_of(member.folder) / size_of(first.folder)
        if prediction.limit.left() <= 0 or (number and expected > prediction.limit.left() / 2):
            prediction.found.append("skipped, no time")
            continue
        began = prediction.limit.clock()
        prediction.found.append(_find(prediction, number))
        took = took or prediction.limit.clock() - began
        prediction.publish(True)


def _find(prediction: Prediction, number: int) -> str:
    """How it ended. An embedder that fails is opened once more; the chunk in which it did comes last, and once more."""
    chunks, again = deque(range(len(prediction.store.sizes))), set()
    patience, folder = Patience(), prediction.models.embedders[number].folder
    while chunks and not patience.over:
        left, opened = len(chunks), []
        try:
            return _find_chunks(prediction, number, chunks, opened)
        except Exception:
            traceback.print_exc()
            if len(chunks) < left:
                patience.worked()
            say_loudly(patience.failed(f"embedder {folder}", opened=bool(opened)))
            if not opened:
                continue
            if chunks[0] in again:
                _lose(prediction, number, chunks.popleft(), FAILED)
            else:
                again.add(chunks[0])
                chunks.rotate(-1)  # one bad row must not keep the others from their turn
    for chunk in chunks:
        _lose(prediction, number, chunk, FAILED if chunk in again else NEVER_READ)
    return "failed" if chunks or len(again) == len(prediction.store.sizes) else "complete"


def _lose(prediction: Prediction, number: int, chunk: int, why: str) -> None:
    keep_losses(prediction.store, f"found{number}", chunk, prediction.store.read("queries", chunk)["query_id"], why)


def _find_chunks(prediction: Prediction, number: int, chunks: deque[int], opened: list[bool]) -> str:
    """How it ended. What is done is taken out of `chunks`; `opened` gets an entry once the embedder is in memory."""
    with open_finding(prediction, number) as find:
        opened.append(True)
        while chunks:
            if prediction.limit.left() <= 0:
                return "out of time"
            find(chunks[0])
            chunks.popleft()
            prediction.publish(False)
    return "complete"


@contextmanager
def open_finding(prediction: Prediction, number: int) -> Iterator[Callable[[int], None]]:
    """The function that finds a chunk's candidates with one embedder, and blends them with those before it."""
    member, k, name = prediction.models.embedders[number], prediction.calibration.retrieved, f"found{number}"
    card, words = read_embedder_card(member.folder), embedder_words(load_tokenizer(member.folder))
    with (
        _open_encoder(prediction, member.folder, card) as encoder,
        Meter(desc=f"retrieve {member.folder.name}", total=sum(prediction.store.sizes), unit=" rows") as meter,
    ):
        table, known = _known(prediction, number, encoder, words, card)

        def find(chunk: int) -> None:
            queries = prediction.store.read("queries", chunk)
            asked = encoder.encode(query_prompts(queries, words, card))
            there = answered(asked)
            if not there.all():
                keep_losses(prediction.store, name, chunk, queries["query_id"].filter(~there), NO_ANSWER)
            found = find_candidates(queries.filter(there), table, asked[there], known, k)
            there = [place for place in range(number) if prediction.store.has(f"found{place}", chunk)]
            tables = [*(prediction.store.read(f"found{place}", chunk) for place in there), found]
            weights = [prediction.models.embedders[place].weight for place in [*there, number]]
            blended = blend_candidates(tables, weights, prediction.models.average, k)
            before = prediction.store.read("candidates", chunk)  # of a row that no embedder has an answer for
            kept = before.join(blended, on="query_id", how="anti", maintain_order="left")
            prediction.store.keep("candidates", chunk, pl.concat([blended, kept]))
            prediction.store.keep(name, chunk, found)  # last: then the chunk is done
            meter.update(len(queries))

        yield find


def _open_encoder(prediction: Prediction, folder: Path, card: EmbedderCard) -> AbstractContextManager[Encoder]:
    def open_real() -> AbstractContextManager[Encoder]:
        return open_encoder(prediction.serving.engine, folder, card.pooling, prediction.serving.profile, strict=False)

    if prediction.vectors is None:
        return open_real()
    key = model_key(folder, prediction.serving.engine, prediction.serving.profile)
    return RememberingEncoder(VectorStore(prediction.vectors / key), open_real)


def _known(
    prediction: Prediction, number: int, encoder: Encoder, words: Words, card: EmbedderCard
) -> tuple[pl.DataFrame, np.ndarray | Path]:
    """The misconceptions with a vector, and these; or the folder of a corpus where they are too many for memory."""
    table, lost = described(prediction.misconceptions, prediction.models.embedders[number].folder), f"known{number}"
    if len(table) <= LARGE:
        shipped = read_vectors(table, prediction.models.embedders[number].folder)
        vectors = encode_misconceptions(table, encoder, words, card) if shipped is None else shipped
        if (there := answered(vectors)).all():
            return table, vectors
        keep_losses(prediction.store, lost, 0, table["misconception_id"].filter(~there), NO_ANSWER)
        if not there.any():
            raise ValueError("no misconception has a vector")
        return table.filter(there), vectors[there]
    folder = prediction.store.folder / f"corpus-{number}-{os.getpid()}"
    width = encode_misconceptions(table[:1], encoder, words, card).shape[1]
    ids = table["misconception_id"]

    def encode(part: slice) -> np.ndarray:
        vectors = encode_misconceptions(table[part], encoder, words, card)
        if not (there := answered(vectors)).all():
            keep_losses(prediction.store, lost, 0, ids[part].filter(~there), NO_ANSWER)
        return vectors

    write_corpus(ids.to_numpy(), encode, width, folder)
    return table, folder
