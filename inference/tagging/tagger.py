"""Tags rows with entries of a catalogue: models stay open, and the catalogue may be edited meanwhile.

with open_tagger(TagModels(embedder, reranker, serving), misconceptions) as tagger:
    for tagged in tagger.tag([check_row({"subject": ..., ...}, "row 1")], k=3):
        print(tagged.absent, tagged.tags)
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import BaseModel

from inference.engines.answers import answered
from inference.engines.open import open_encoder
from inference.engines.protocols import Encoder
from inference.engines.serving import Serving
from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.fusion.calibration import Calibration, apply, never_labelled, plain, select_candidates
from inference.fusion.confidence import Confidence, RowScores, absent_probability, candidate_probabilities
from inference.reranking.kinds import open_reranker
from inference.reranking.protocols import Reranker
from inference.retrieval.catalogue_vectors import encode_misconceptions
from inference.retrieval.retrieve import find_candidates, query_prompts
from inference.retrieval.vector_cache import RememberingEncoder, VectorStore, model_key
from inference.tagging.catalogue import (
    Catalogue,
    Edit,
    EditLog,
    check_edit,
    describe_entries,
    edit_of,
    edited,
    read_edits,
)
from inference.tagging.rows import as_queries
from inference.tagging.turns import Turns
from shared.artifacts.card import EmbedderCard, read_embedder_card
from shared.prompts.words import Words
from shared.task.tables import PAIR

ABSENT_SHARE = 0.1  # of rows whose entry is taken not to be in the catalogue, before a row is looked at
LIKELY = 0.5  # above it a row is said to be probably not in the catalogue


@dataclass(frozen=True)
class TagModels:
    """What tags: the merged models' folders (without a reranker, retrieval alone), their order, and how sure it is."""

    embedder: Path
    reranker: Path | None
    serving: Serving
    calibration: Calibration = field(default_factory=plain)
    confidence: Confidence | None = None  # without one, no probability is given
    absent_share: float = ABSENT_SHARE


@dataclass(frozen=True)
class Tag:
    """An entry of the catalogue for a row: higher scores are better; the probability that it is the right one."""

    id: int | str  # what people call it: words where the task's files do
    text: str
    score: float
    probability: float | None


@dataclass(frozen=True)
class Tagged:
    """The tags of a row, best first; empty where a model has no answer to it (its text is too long, or it gave NaN).

    `absent` is the probability that the right entry is not in the catalogue; `in_catalogue` is False where that is
    likely. Both are None where no confidence was fitted.
    """

    id: str
    tags: tuple[Tag, ...]
    absent: float | None
    in_catalogue: bool | None


class Tagger:
    """Open models and a catalogue; made by `open_tagger`. Every method may be called from any thread."""

    def __init__(self, models: TagModels, engines: "_Engines", catalogue: Catalogue, log: EditLog | None = None):
        self.models, self.catalogue = models, catalogue
        self._engines, self._log = engines, log
        self._tagging, self._editing, self._turns = threading.Lock(), threading.RLock(), Turns()

    def tag(self, rows: Sequence[BaseModel], k: int = 5) -> list[Tagged]:
        """The best `k` entries for each of `rows` (from `check_row` or `read_rows`), in their order.

        All rows see the catalogue as it is when the call begins to compute. Raises ValueError for k < 1.
        """
        if k < 1:
            raise ValueError(f"k is {k}: ask for at least 1 tag")
        if not rows:
            return []
        with self._tagging:
            catalogue = self.catalogue
            queries = as_queries(rows)
            with self._turn():
                asked = self._engines.encode_queries(queries)
            there = answered(asked)
            ranked = self._rank(queries.filter(there), asked[there], catalogue)
        tables = {query_id: table for (query_id,), table in ranked.group_by("query_id", maintain_order=True)}
        name = "item" if catalogue.named else "misconception_id"
        known = {
            id_: names
            for id_, *names in catalogue.entries.select("misconception_id", said=name, text="text").iter_rows()
        }
        return [self._describe(row, tables.get(str(place)), known, k) for place, row in enumerate(rows)]

    def edit(self, edit: Edit) -> Catalogue:
        """Edit the catalogue; returns it as every later call of `tag` finds it. Raises ValueError for what cannot be.

        The edit is on the disk before this returns, where the tagger was opened with a file of edits.
        """
        with self._editing:
            check_edit(self.catalogue, edit)
            changed = edited(self.catalogue, edit, self._encode_entries)
            if self._log is not None:
                self._log.add(edit)
            self.catalogue = changed
            return changed

    def add(self, text: str, id_: int | str | None = None) -> int | str:
        """Add an entry and return its id, the next free number where `id_` is None."""
        with self._editing:
            free = self.catalogue.next_id
            own = (str(free) if self.catalogue.named else free) if id_ is None else id_
            self.edit(edit_of("add", own, text))
        return own

    def _encode_entries(self, entries: pl.DataFrame) -> np.ndarray:
        with self._turn(hurry=True):
            return self._engines.encode_entries(entries)

    def _turn(self, *, hurry: bool = False) -> AbstractContextManager[None]:
        """vLLM answers one caller at a time; our own engine any number, so that an edit waits for nobody."""
        return self._turns.take(hurry=hurry) if self.models.serving.engine == "vllm" else nullcontext()

    def _rank(self, queries: pl.DataFrame, asked: np.ndarray, catalogue: Catalogue) -> pl.DataFrame:
        """query_id, misconception_id, retrieval_score, score: what was scored of each row, best first."""
        calibration = self.models.calibration
        if queries.is_empty():
            return pl.DataFrame(schema={"query_id": pl.String, "misconception_id": pl.Int64})
        found = find_candidates(queries, catalogue.entries, asked, catalogue.vectors, calibration.retrieved)
        chosen = select_candidates(found, calibration)
        if self._engines.reranker is None:
            return chosen.sort("query_id", "rank").with_columns(score=pl.col("retrieval_score").cast(pl.Float64))
        near = chosen.sort("query_id", "rank")
        entries = describe_entries(catalogue, self.models.reranker)
        scores = self._engines.reranker.score(queries, entries, near).values
        scored = near.select(PAIR).with_columns(scores.fill_nan(None))
        ranked = apply(chosen, scored, calibration).drop_nulls("rerank_score")
        never = never_labelled(calibration.labelled).cast(pl.Float64)
        blended = pl.col("rerank_score").cast(pl.Float64) + calibration.blend * pl.col("retrieval_score")
        return ranked.with_columns(score=blended + calibration.offset * never)

    def _describe(self, row: BaseModel, table: pl.DataFrame | None, known: dict[int, list], k: int) -> Tagged:
        if table is None:
            return Tagged(row.id, (), None, None)
        scores, absent, sure = table["score"].to_numpy(), None, [None] * len(table)
        if self.models.confidence is not None:
            confidence = self.models.confidence
            fit = confidence.retrieved if self._engines.reranker is None else confidence.reranked
            looked_at = RowScores(scores, table["retrieval_score"].to_numpy().astype(float))
            absent = absent_probability(looked_at, fit, self.models.absent_share)
            sure = candidate_probabilities(scores, fit, absent).tolist()
        tags = [
            Tag(*known[id_], float(score), probability)
            for id_, score, probability in zip(table["misconception_id"][:k], scores[:k], sure[:k], strict=True)
        ]
        return Tagged(row.id, tuple(tags), absent, None if absent is None else absent <= LIKELY)


@dataclass(frozen=True)
class _Engines:
    encoder: Encoder
    remembering: RememberingEncoder | Encoder
    words: Words
    card: EmbedderCard
    reranker: Reranker | None

    def encode_queries(self, queries: pl.DataFrame) -> np.ndarray:
        return self.encoder.encode(query_prompts(queries, self.words, self.card))

    def encode_entries(self, entries: pl.DataFrame) -> np.ndarray:
        return encode_misconceptions(entries, self.remembering, self.words, self.card)


@contextmanager
def open_tagger(
    models: TagModels,
    misconceptions: pl.DataFrame,
    edits: Path | None = None,
    *,
    vectors: Path | None = None,
    writing: bool = False,
) -> Iterator[Tagger]:
    """A Tagger over the catalogue `misconceptions` (table MISCONCEPTIONS) with the edits in the file `edits`.

    `vectors` is a folder that remembers the catalogue's vectors from one opening to the next. `writing` keeps further
    edits in `edits` too: one process at a time may. Leaving the block gives the models' memory back. Raises ValueError
    for a folder that is no merged model, and for edits that do not belong to this catalogue.
    """
    card, serving = read_embedder_card(models.embedder), models.serving
    words = embedder_words(load_tokenizer(models.embedder))
    with ExitStack() as stack:
        log = EditLog(edits) if edits is not None and writing else None
        made = log.edits if log is not None else read_edits(edits) if edits is not None else []
        encoder = stack.enter_context(
            open_encoder(serving.engine, models.embedder, card.pooling, serving.profile, strict=False)
        )
        remembering = encoder
        if vectors is not None:
            store = VectorStore(vectors / model_key(models.embedder, serving.engine, serving.profile))
            remembering = stack.enter_context(RememberingEncoder(store, lambda: nullcontext(encoder)))
        reranker = None
        if models.reranker is not None:
            reranker = stack.enter_context(open_reranker(models.reranker, serving, strict=False))
        if log is not None:
            stack.callback(log.close)
        engines = _Engines(encoder, remembering, words, card, reranker)
        yield Tagger(models, engines, _catalogue(misconceptions, models, engines, made), log)


def _catalogue(misconceptions: pl.DataFrame, models: TagModels, engines: _Engines, made: Sequence[Edit]) -> Catalogue:
    """The catalogue after the edits that were made before; what has no vector cannot be found, and is left out."""
    catalogue = Catalogue(misconceptions, np.zeros((len(misconceptions), 1), np.float32))
    for edit in made:  # the texts first: an entry that was renamed ten times is encoded once
        check_edit(catalogue, edit)
        catalogue = edited(catalogue, edit, lambda rows: np.zeros((len(rows), 1), np.float32))
    vectors = engines.encode_entries(describe_entries(catalogue, models.embedder))
    there = answered(vectors)
    return replace(catalogue, entries=catalogue.entries.filter(there), vectors=vectors[there])
