"""Lets many requests share the models: what has arrived when a batch begins is in it, the rest in the next one."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import BaseModel

from inference.tagging.tagger import Tagged

Compute = Callable[[Sequence[BaseModel], int], list[Tagged]]
QUIET_TURNS = 8  # of the event loop, without a new row: a request that the machine has is read in fewer


class Overloaded(Exception):
    """More rows wait than may."""


@dataclass(frozen=True)
class _Request:
    rows: Sequence[BaseModel]
    k: int
    answer: asyncio.Future


class Batcher:
    """Computes the rows of waiting requests together, `most_rows` at a time, in the order in which they came."""

    def __init__(
        self, compute: Compute, most_rows: int, most_waiting: int, begun: Callable[[int], object] | None = None
    ):
        """`begun` is told the number of rows of every batch."""
        self.compute, self.most_rows, self.most_waiting, self.begun = compute, most_rows, most_waiting, begun
        self.waiting_rows = 0
        self._waiting: deque[_Request] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models")

    async def tag(self, rows: Sequence[BaseModel], k: int) -> list[Tagged]:
        """The tags of `rows`. Raises Overloaded where too many rows wait already."""
        if self.waiting_rows + len(rows) > self.most_waiting:
            raise Overloaded
        request = _Request(rows, k, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self.waiting_rows += len(rows)
        self._arrived.set()
        return await request.answer

    async def run(self) -> None:
        """Answer requests until this is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            await self._read_what_is_there()
            batch = self._take()
            if batch:
                await self._answer(loop, batch)
            if not self._waiting:
                self._arrived.clear()

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _read_what_is_there(self) -> None:
        """Let the loop read the requests that the machine has: a thousand at once must not begin with a batch of one.

        An idle loop is through with it in a fraction of a millisecond, so that a request alone does not wait.
        """
        quiet = 0
        while quiet < QUIET_TURNS and self.waiting_rows < self.most_rows:
            before = self.waiting_rows
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.waiting_rows == before else 0

    def _take(self) -> list[_Request]:
        """The next requests, as many as fit a batch, and at least one; not those whose client has gone."""
        batch, rows = [], 0
        while self._waiting and (not batch or rows + len(self._waiting[0].rows) <= self.most_rows):
            request = self._waiting.popleft()
            self.waiting_rows -= len(request.rows)
            if not request.answer.done():
                batch.append(request)
                rows += len(request.rows)
        return batch

    async def _answer(self, loop: asyncio.AbstractEventLoop, batch: Sequence[_Request]) -> None:
        rows, k = [row for request in batch for row in request.rows], max(request.k for request in batch)
        if self.begun is not None:
            self.begun(len(rows))
        try:
            tagged = await loop.run_in_executor(self._thread, self.compute, rows, k)
        except Exception as error:
            if len(batch) > 1:  # one of them must not be the others' fault
                for request in batch:
                    await self._answer(loop, [request])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        start = 0
        for request in batch:
            own = tagged[start : start + len(request.rows)]
            start += len(request.rows)
            if not request.answer.done():
                request.answer.set_result([_cut(one, request.k) for one in own])


def _cut(tagged: Tagged, k: int) -> Tagged:
    return Tagged(tagged.id, tagged.tags[:k], tagged.absent, tagged.in_catalogue)
