"""Runs an engine in each of several processes, every one with GPUs of its own, and feeds them from one queue.

A process that dies leaves its piece of the work to the others, and a loud line says so.
"""

import math
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np

from inference.engines.packing.prefix_forest import Rows
from inference.engines.packing.work_queue import cut_pieces
from inference.engines.progress import Meter
from inference.engines.protocols import Generated
from inference.machine.profiles import Profile
from shared.prompts.writer import Sampling

ROOT = Path(__file__).parents[2]
CLOSED = (EOFError, ConnectionError)  # A pipe raises one of these when its other end is closed.
GONE = (EOFError, OSError)  # It raises one of these when a process died, maybe in the middle of an answer.
LAST_PIECE_TOKENS = 8192  # The last pieces fill a GPU, and are small enough that all processes end together.
END_SECONDS = 60  # A process gets as long to free its GPU before it is killed.


class Openable(Protocol):
    """What a process opens; it is sent there."""

    profile: Profile

    def open(self) -> AbstractContextManager[Callable]:
        """The function that computes, which is called with prompts and whatever else belongs to them."""


class Replicas:
    """An Encoder, a Scorer or a Writer: whatever its processes were opened as."""

    def __init__(self, replicas: list["_Replica"], least: int):
        self.replicas, self.least, self.count = replicas, least, len(replicas)
        self.patience = math.inf  # seconds that the next answer may take

    def encode(self, prompts: Rows) -> np.ndarray:
        pieces = self._cut(prompts)
        done = self._compute(pieces, lambda piece: ([list(prompts[row]) for row in piece],), "encode/score")
        values = np.zeros((len(prompts), *done[0][1].shape[1:]), np.float32)
        for piece, answer in done:
            values[piece] = answer
        return values

    def score(self, prompts: Rows) -> np.ndarray:
        return self.encode(prompts)

    def generate(self, prompts: Rows, sampling: Sampling, seeds: Sequence[int] = ()) -> list[Generated]:
        order = sorted(range(len(prompts)), key=prompts.__getitem__)  # what begins alike goes to one process
        share = max(
            -(-len(order) // max(len(self.replicas), 1)), 1
        )  # one piece each: the end of a piece has few texts in work
        pieces = [order[start : start + share] for start in range(0, len(order), share)]

        def ask(piece: list[int]) -> tuple:
            return [list(prompts[row]) for row in piece], sampling, [seeds[row] for row in piece if seeds]

        written = {
            row: text
            for piece, answer in self._compute(pieces, ask, "write")
            for row, text in zip(piece, answer, strict=True)
        }
        return [written[row] for row in range(len(prompts))]

    def wait(self) -> None:
        """Return once every process can compute: who does not come up is known then."""
        self._compute([[]] * len(self.replicas), lambda piece: None, "open")

    def _compute(self, pieces: list[list[int]], ask: Callable[[list[int]], tuple | None], what: str) -> list[tuple]:
        """Every piece (rows) with what a process answered to `ask` of it. Raises ValueError for what one refuses."""
        if not self.replicas:
            raise RuntimeError("every replica has died: open the engine again")
        done, refusals = [], []
        with Meter(total=sum(map(len, pieces)), desc=what, unit=" prompts") as bar:
            for piece, answer in self._answers(deque(pieces), ask):
                bar.update(len(piece))
                (refusals if isinstance(answer, str) else done).append((piece, answer))
        if refusals:
            raise ValueError(f"in a piece of the work: {refusals[0][1]}")
        return done

    def _answers(self, pieces: deque[list[int]], ask: Callable) -> Iterator[tuple[list[int], Any]]:
        """The rows of every piece of the work with its answer, or with the sentence of a refusal, which is the last."""
        while pieces or any(replica.piece is not None for replica in self.replicas):
            self._hand_out(pieces, ask)
            for replica, answer in self._collect(pieces):
                piece, replica.piece = replica.piece, None
                if isinstance(answer, str):
                    pieces.clear()  # the others end what they have in hand, and nothing is left over for the next
                yield piece, answer

    def _cut(self, prompts: Rows) -> list[list[int]]:
        workers = len(self.replicas)
        if not prompts:
            return [[]] * workers
        return cut_pieces(prompts, workers, self.least) if workers > 1 else [list(range(len(prompts)))]

    def _hand_out(self, pieces: deque[list[int]], ask: Callable) -> None:
        """Give every process that has nothing to do the next piece."""
        for replica in list(self.replicas):
            if replica.piece is None and pieces:
                replica.piece = pieces.popleft()
                try:
                    replica.pipe.send(ask(replica.piece))
                except GONE:
                    self._bury(replica, pieces)

    def _collect(self, pieces: deque[list[int]]) -> Iterator[tuple["_Replica", Any]]:
        """Wait for answers: values, texts, or the sentence of a refusal. Kills who hangs and raises TimeoutError."""
        busy = {replica.pipe: replica for replica in self.replicas if replica.piece is not None}
        ready = wait(list(busy), None if math.isinf(self.patience) else max(self.patience, 0.0)) if busy else ()
        if busy and not ready:
            for replica in busy.values():
                replica.process.kill()
            raise TimeoutError(f"no replica answered within {self.patience:.0f} s")
        for pipe in ready:
            try:
                yield busy[pipe], pipe.recv()
            except GONE:
                self._bury(busy[pipe], pieces)

    def _bury(self, replica: "_Replica", pieces: deque[list[int]]) -> None:
        """Put a dead process's piece back in front of the queue. Raises RuntimeError when nobody is left."""
        self.replicas.remove(replica)
        code, left = replica.end(), len(self.replicas)
        if replica.piece is not None:
            pieces.appendleft(replica.piece)
        said = f"replica {replica.number} of {self.count} died (exit code {code}; its message, if any, stands above)"
        print(f"!!! {said}: {left} of them do its work", file=sys.stderr, flush=True)
        if not self.replicas:
            raise RuntimeError(f"{said}, and it was the last one")


@contextmanager
def open_replicas(opening: Openable, count: int, patience: float = math.inf) -> Iterator[Replicas]:
    """`count` processes with the model; their GPUs are free again at the end. Raises ValueError for a bad model.

    One that does not come up within `patience` seconds is killed, and TimeoutError raised.
    """
    wanted, there = count * opening.profile.tensor_parallel, len(visible_gpus())
    if opening.profile.device == "cuda" and wanted > there:
        raise ValueError(f"the profile asks for {wanted} GPUs and {there} are there: take another profile")
    replicas = [_start(number, opening) for number in range(count)]
    try:
        opened = Replicas(replicas.copy(), min(opening.profile.batch_tokens, LAST_PIECE_TOKENS))
        opened.patience = patience
        opened.wait()
        yield opened
    finally:
        for replica in replicas:
            replica.end()


@dataclass
class _Replica:
    number: int
    process: subprocess.Popen
    pipe: Connection
    piece: list[int] | None = None  # rows that it computes now

    def end(self) -> int:
        """Let the process give back what it has; its exit code."""
        self.pipe.close()
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def _start(number: int, opening: Openable) -> _Replica:
    """Start a process without importing the program that we are again: a notebook cell or a kernel is not guarded."""
    here, there = Pipe()
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "TQDM_DISABLE": "1", **_devices(number, opening.profile)}
    command = [sys.executable, "-c", f"from inference.engines.replicas import serve; serve({there.fileno()})"]
    process = subprocess.Popen(command, env=environment, pass_fds=[there.fileno()])
    there.close()
    here.send(opening)
    return _Replica(number, process, here)


def _devices(number: int, profile: Profile) -> dict[str, str]:
    """The environment that shows a process its own GPUs alone."""
    if profile.device == "cpu":
        return {}
    wide = profile.tensor_parallel
    return {"CUDA_VISIBLE_DEVICES": ",".join(visible_gpus()[number * wide : (number + 1) * wide])}


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]


def serve(descriptor: int) -> None:
    """What such a process does until the other end of its pipe is closed."""
    pipe = Connection(descriptor)
    with suppress(CLOSED):  # nobody asks any more
        opening: Openable = pipe.recv()
        try:
            with opening.open() as compute:
                _answer_all(compute, pipe)
        except ValueError as error:  # of the model: whoever asks is told
            pipe.recv()
            pipe.send(str(error))


def _answer_all(compute: Callable, pipe: Connection) -> NoReturn:
    while True:
        pipe.send(_answer(compute, pipe.recv()))


def _answer(compute: Callable, asked: tuple | None) -> Any:
    """None to None, by which a process is asked whether it is there."""
    try:
        return None if asked is None else compute(*asked)
    except ValueError as error:
        return str(error)
