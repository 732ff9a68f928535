"""Makes the requests for a writer from the tables: texts about rows, and descriptions of misconceptions."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import polars as pl

from inference.engines.protocols import Writer
from inference.engines.tokenizer import load_tokenizer, writer_words
from inference.engines.writers.open import WriterOpening, open_writer
from inference.retrieval.bm25 import WordIndex
from inference.writing.shots import Shots
from inference.writing.write import OpenableWriter, Request
from shared.artifacts.manifest import MANIFEST
from shared.prompts.words import Words
from shared.prompts.writer import CONTRASTED, PROMPTS, ROW_KINDS, description_prompt, row_prompt, solved_rows

LOOKED_AT = 1 << 20  # bytes at the beginning, in the middle and at the end of a file of weights


def row_requests(
    queries: pl.DataFrame, words: Words, kinds: Sequence[str] = ROW_KINDS, shots: Shots | None = None
) -> list[Request]:
    """A request of each kind for each row of QUERIES, with shots in front of it. No label of the row is read."""
    shown = shots.of(queries["question"].to_list()) if shots else {}
    solved: dict[tuple[str, tuple[str, ...]], list[int]] = {}  # ids of what is the same for nearly all rows
    requests = []
    for kind, row in itertools.product(kinds, queries.drop("misconception_id", strict=False).to_dicts()):
        prompt, own = PROMPTS[kind], shown[row["question"]] if shots else ()
        names = tuple(shot.query_id for shot in own)
        if (kind, names) not in solved:
            solved[kind, names] = solved_rows(words, prompt, [(shot.row, shot.texts[kind]) for shot in own])
        tokens = tuple(row_prompt(words, prompt, row, solved[kind, names]))
        requests.append(Request(kind, row["query_id"], tokens, prompt.sampling, row["fold"], shots=names))
    return requests


def description_requests(misconceptions: pl.DataFrame, words: Words) -> list[Request]:
    """A request for the description of each of MISCONCEPTIONS, from its name and the names nearest to it alone."""
    names = dict(misconceptions.select("misconception_id", "text").iter_rows())
    ids = list(names)
    index = WordIndex(misconceptions.select("misconception_id", "text"))  # by the names alone
    found, _ = index.find([names[id_] for id_ in ids], CONTRASTED + 3)  # its own and its twins'
    prompt, requests = PROMPTS["description"], []
    for id_, near in zip(ids, found.tolist(), strict=True):
        others = dict.fromkeys(names[other] for other in near if names[other] != names[id_])
        tokens = description_prompt(words, prompt, names[id_], list(others)[:CONTRASTED])
        requests.append(Request("description", str(id_), tuple(tokens), prompt.sampling))
    return requests


def openable_writer(requests: Sequence[Request], opening: WriterOpening, name: str = "") -> OpenableWriter:
    """The model of `opening` with as much room as these requests need; what it is told apart from others by is read."""
    fitting = with_room(opening, requests)

    def open_() -> AbstractContextManager[Writer]:
        return open_writer(fitting)

    return OpenableWriter(name or opening.folder.name, revision_of(opening), open_)


def with_room(opening: WriterOpening, requests: Sequence[Request]) -> WriterOpening:
    """`opening` with as much room as the longest of these requests needs."""
    longest = max((len(request.prompt) + request.sampling.max_tokens for request in requests), default=1)
    return replace(opening, longest=longest)


def words_of_writer(folder: Path) -> Words:
    """The words of the model in `folder`, with its chat template where it has one."""
    return writer_words(load_tokenizer(folder))


def revision_of(opening: WriterOpening) -> str:
    """16 hex digits for the weights: of the folder's manifest, or of its small files and of parts of its large ones."""
    total = hashlib.sha256()
    for folder in filter(None, (opening.folder, opening.adapter)):
        manifest = folder / MANIFEST
        if manifest.is_file():
            files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
            total.update(json.dumps(files, sort_keys=True).encode())
            continue
        for path in sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".json")):
            total.update(f"{path.name} {path.stat().st_size}\n".encode())
            total.update(_parts(path))
    return total.hexdigest()[:16]


def _parts(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= 3 * LOOKED_AT:
            return file.read()
        parts = []
        for start in (0, size // 2, size - LOOKED_AT):
            file.seek(start)
            parts.append(file.read(LOOKED_AT))
    return b"".join(parts)
