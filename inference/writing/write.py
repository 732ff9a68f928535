"""Lets a language model write what is asked for, slice by slice into a store; what is there is never written again.

A text stands under the digest of its prompt, its sampling, its seed and its model, so that a killed run goes on where
it was, and a changed prompt or model means a new text.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from inference.engines.progress import Meter
from inference.engines.protocols import Generated, Writer
from inference.writing.clean import clean
from inference.writing.store import TextStore, digest_of, open_store
from shared.prompts.writer import Sampling
from shared.task.folds import seed_of
from shared.task.tables import TEXTS

FIRST_ROWS = 64  # of the first slice: by its pace the next ones are cut
SLICE_SECONDS = 120.0  # a kill costs as much; at a slice's end few texts are in work, which costs some per cent
MOST_ROWS = 4096
# The second attempt at a text of which nothing could be used: greedy would say the same again.
AGAIN = {"temperature": 0.7, "top_p": 0.8}
GOES_WRONG = ("cjk", "repeated")  # flags for which there is a second attempt too, though something is left


@dataclass(frozen=True)
class Request:
    """A text that is wanted: what it is about, and the prompt (token ids) that asks for it."""

    kind: str
    key: str  # with the kind the key of its row of TEXTS
    prompt: tuple[int, ...]
    sampling: Sampling
    fold: str = ""
    saw_label: bool = False  # whether the prompt holds the right answer
    shots: tuple[str, ...] = ()  # query ids of the solved examples in the prompt


@dataclass(frozen=True)
class OpenableWriter:
    """A writer as this file sees it. `revision` stands for its weights: another one, and everything is written anew."""

    name: str
    revision: str
    open: Callable[[], AbstractContextManager[Writer]]


def write_texts(
    requests: Sequence[Request], writer: OpenableWriter, folder: Path, seed: str = "0", *, wait_seconds: float = 0.0
) -> pl.DataFrame:
    """The TEXTS of `requests`, in their order; those that the store in `folder` lacks are written.

    A text of which nothing can be used is tried once more with another seed; then it is "" and its finish_reason
    "failed". The model is opened only where something is to be written. Raises ValueError for a request that is there
    twice, for what the engine refuses, and where another process still uses the store after `wait_seconds`.
    """
    _check(requests)
    with open_store(folder, wait_seconds) as store, ExitStack() as stack:
        desk = Desk(writer, store, seed)
        for attempt in (0, 1):
            pending = [request for request in requests if desk.wants(request, attempt)]
            if pending:
                desk.open(stack)
                _write_slices(desk, pending, attempt)
        return pl.DataFrame([desk.row(request) for request in requests], schema=TEXTS.schema, orient="row")


class Desk:
    """Where requests become texts in a store: by one model, with seeds made from names."""

    def __init__(self, writer: OpenableWriter, store: TextStore, seed: str):
        self.writer, self.store, self.seed = writer, store, seed
        self.opened: Writer | None = None

    def open(self, stack: ExitStack) -> None:
        """Have the model in memory until the end of `stack`."""
        if self.opened is None:
            self.opened = stack.enter_context(self.writer.open())

    def wants(self, request: Request, attempt: int) -> bool:
        """Whether the store lacks this attempt at a text, and it is needed."""
        if self._address(request, attempt) in self.store:
            return False
        if attempt == 0:
            return True
        return self._address(request, 0) in self.store and not _is_good(*_cleaned(self._text(request, 0)))

    def write(self, requests: Sequence[Request], attempt: int) -> list[Generated]:
        """Write these, which share their sampling, and keep them: all of them, or none where the engine refuses one."""
        began = time.perf_counter()
        sampling = _sampling(requests[0], attempt)
        seeds = [self._seed(request, attempt) for request in requests]
        generated = self.opened.generate([request.prompt for request in requests], sampling, seeds)
        seconds = (time.perf_counter() - began) / len(requests)
        self.store.append(
            [
                {
                    "id": self._address(request, attempt),
                    "kind": request.kind,
                    "key": request.key,
                    "raw": one.text,
                    "tokens": one.tokens,
                    "finish_reason": one.finish_reason,
                    "seed": seed,
                    "seconds": seconds,
                }
                for request, seed, one in zip(requests, seeds, generated, strict=True)
            ]
        )
        return generated

    def row(self, request: Request) -> tuple:
        """The row of TEXTS of a request that was written."""
        attempt, text, (cleaned, flags) = self._best(request)
        sampling = _sampling(request, attempt)
        return (
            request.kind,
            request.key,
            text["raw"],
            cleaned,
            text["tokens"],
            text["finish_reason"] if cleaned else "failed",
            " ".join(flags),
            self.writer.name,
            self.writer.revision,
            digest_of(request.prompt),
            digest_of(vars(sampling)),
            text["seed"],
            request.saw_label,
            " ".join(request.shots),
            request.fold,
            text["seconds"],
        )

    def _best(self, request: Request) -> tuple[int, dict, tuple[str, tuple[str, ...]]]:
        """The attempt whose text is used: the first one, unless only the second is good or has anything at all."""
        there = [attempt for attempt in (0, 1) if self._address(request, attempt) in self.store]
        cleaned = {attempt: _cleaned(self._text(request, attempt)) for attempt in there}
        good = [attempt for attempt in there if _is_good(*cleaned[attempt])]
        some = [attempt for attempt in there if cleaned[attempt][0]]
        attempt = (good or some or there)[0]
        return attempt, self._text(request, attempt), cleaned[attempt]

    def _text(self, request: Request, attempt: int) -> dict:
        return self.store[self._address(request, attempt)]

    def _seed(self, request: Request, attempt: int) -> int:
        """0 where nothing is drawn: another seed is no reason to write the same text again."""
        if _sampling(request, attempt).greedy:
            return 0
        return seed_of(self.seed, request.kind, request.key, attempt) % 2**31

    def _address(self, request: Request, attempt: int) -> str:
        model, sampling = [self.writer.name, self.writer.revision], _sampling(request, attempt)
        return digest_of(model, request.kind, request.key, request.prompt, vars(sampling), self._seed(request, attempt))


def cut_slices(
    requests: Sequence[Request], clock: Callable[[], float] = time.perf_counter, seconds: float = SLICE_SECONDS
) -> Iterator[list[Request]]:
    """`requests` in slices that each take about `seconds`, as the one before it shows; of one kind, alike prompts near.

    Ask for a slice when the one before it is written.
    """
    ordered = sorted(requests, key=lambda request: (request.kind, repr(request.sampling), request.prompt))
    first, rows = 0, FIRST_ROWS
    while first < len(ordered):
        last = min(first + rows, len(ordered))
        last = next((place for place in range(first, last) if ordered[place].sampling != ordered[first].sampling), last)
        began = clock()
        yield ordered[first:last]
        pace = max(clock() - began, 1e-9) / (last - first)
        first, rows = last, max(FIRST_ROWS, min(int(seconds / pace), MOST_ROWS))


def _write_slices(desk: Desk, pending: Sequence[Request], attempt: int) -> None:
    what = "write" if attempt == 0 else "write again"
    with Meter(total=len(pending), desc=f"{what} with {desk.writer.name}", unit=" texts") as bar:
        tokens, began = 0, time.perf_counter()
        for part in cut_slices(pending):
            tokens += sum(one.tokens for one in desk.write(part, attempt))
            bar.set_postfix_str(f"{tokens / (time.perf_counter() - began):.0f} tokens/s", refresh=False)
            bar.update(len(part))


def _sampling(request: Request, attempt: int) -> Sampling:
    if attempt == 0:
        return request.sampling
    return Sampling(**{**vars(request.sampling), **AGAIN})


def _cleaned(text: dict) -> tuple[str, tuple[str, ...]]:
    return clean(text["kind"], text["raw"], finished=text["finish_reason"] == "stop")


def _is_good(cleaned: str, flags: tuple[str, ...]) -> bool:
    return bool(cleaned) and not set(flags) & set(GOES_WRONG)


def _check(requests: Sequence[Request]) -> None:
    seen: set[tuple[str, str]] = set()
    for request in requests:
        if (request.kind, request.key) in seen:
            raise ValueError(f"the {request.kind} text of {request.key} is asked for twice: ask once")
        seen.add((request.kind, request.key))
