"""Runs an engine in each of several processes, every one with GPUs of its own, and feeds them from one queue.

A process that dies leaves its piece of the work to the others, and a loud line says so.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NoReturn

import numpy as np

from inference.engines.packing.prefix_forest import Rows
from inference.engines.packing.work_queue import cut_pieces
from inference.engines.progress import Meter
from inference.machine.profiles import Profile

ROOT = Path(__file__).parents[2]
CLOSED = (EOFError, ConnectionError)  # A pipe raises one of these when its other end is closed.
GONE = (EOFError, OSError)  # It raises one of these when a process died, maybe in the middle of an answer.
LAST_PIECE_TOKENS = 8192  # The last pieces fill a GPU, and are small enough that all processes end together.
END_SECONDS = 60  # A process gets as long to free its GPU before it is killed.


@dataclass(frozen=True)
class Opening:
    """What a process opens: an Encoder with this pooling, or a Scorer where it is None."""

    engine: str
    folder: Path
    pooling: str | None
    profile: Profile


class Replicas:
    """An Encoder or a Scorer: whatever its processes were opened as."""

    def __init__(self, replicas: list["_Replica"], least: int):
        self.replicas, self.least, self.count = replicas, least, len(replicas)

    def encode(self, prompts: Rows) -> np.ndarray:
        return self._compute(prompts)

    def score(self, prompts: Rows) -> np.ndarray:
        return self._compute(prompts)

    def _compute(self, prompts: Rows) -> np.ndarray:
        """What the processes say of N prompts [N, ...], in their order. Raises ValueError for what they refuse."""
        if not self.replicas:
            raise RuntimeError("every replica has died: open the engine again")
        done, refusals = [], []
        with Meter(total=len(prompts), desc="encode/score", unit=" prompts") as bar:
            for piece, answer in self._answers(prompts):
                bar.update(len(piece))
                (refusals if isinstance(answer, str) else done).append((piece, answer))
        if refusals:
            raise ValueError(f"in a piece of the work: {refusals[0][1]}")
        return _join(done, len(prompts))

    def _answers(self, prompts: Rows) -> Iterator[tuple[list[int], np.ndarray | str]]:
        """The rows of every piece of the work with its values, or with the sentence of a refusal, which is the last."""
        pieces = deque(self._cut(prompts))
        while pieces or any(replica.piece is not None for replica in self.replicas):
            self._hand_out(prompts, pieces)
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

    def _hand_out(self, prompts: Rows, pieces: deque[list[int]]) -> None:
        """Give every process that has nothing to do the next piece."""
        for replica in list(self.replicas):
            if replica.piece is None and pieces:
                replica.piece = pieces.popleft()
                try:
                    replica.pipe.send([list(prompts[row]) for row in replica.piece])
                except GONE:
                    self._bury(replica, pieces)

    def _collect(self, pieces: deque[list[int]]) -> Iterator[tuple["_Replica", np.ndarray | str]]:
        """Wait for answers: values, or the sentence of a refusal."""
        busy = {replica.pipe: replica for replica in self.replicas if replica.piece is not None}
        for pipe in wait(list(busy)) if busy else ():
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
def open_replicas(opening: Opening, count: int) -> Iterator[Replicas]:
    """`count` processes with the model; their GPUs are free again at the end. Raises ValueError for a bad model."""
    wanted, there = count * opening.profile.tensor_parallel, len(visible_gpus())
    if opening.profile.device == "cuda" and wanted > there:
        raise ValueError(f"the profile asks for {wanted} GPUs and {there} are there: take another profile")
    replicas = [_start(number, opening) for number in range(count)]
    try:
        opened = Replicas(replicas.copy(), min(opening.profile.batch_tokens, LAST_PIECE_TOKENS))
        opened.encode([])  # each answers nothing to nothing: who does not come up is known now
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


def _start(number: int, opening: Opening) -> _Replica:
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
        opening: Opening = pipe.recv()
        try:
            with _open(opening) as compute:
                _answer_all(compute, pipe)
        except ValueError as error:  # of the model: whoever asks is told
            pipe.recv()
            pipe.send(str(error))


def _answer_all(compute: Callable[[Rows], np.ndarray], pipe: Connection) -> NoReturn:
    while True:
        pipe.send(_answer(compute, pipe.recv()))


def _answer(compute: Callable[[Rows], np.ndarray], prompts: Rows) -> np.ndarray | str:
    try:
        return compute(prompts)
    except ValueError as error:
        return str(error)


@contextmanager
def _open(opening: Opening) -> Iterator:
    from inference.engines.backends import backend

    module = backend(opening.engine)
    if opening.pooling is None:
        with module.open_scorer(opening.folder, opening.profile) as scorer:
            yield scorer.score
    else:
        with module.open_encoder(opening.folder, opening.pooling, opening.profile) as encoder:
            yield encoder.encode


def _join(done: Sequence[tuple[list[int], np.ndarray]], count: int) -> np.ndarray:
    values = np.zeros((count, *done[0][1].shape[1:]), np.float32)
    for piece, answer in done:
        values[piece] = answer
    return values
