"""A writer that takes its time, to be killed while it writes, again and again.

Fifty times: python -c 'from tests.inference.writing.slow_writer import kill_often; print(kill_often("kills", 50))'
"""

import json
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from inference.engines.protocols import Generated
from inference.writing import write
from inference.writing.store import FILE
from inference.writing.write import OpenableWriter, Request, write_texts
from shared.prompts.writer import Sampling

TEXTS, SECONDS = 400, 0.002  # of a text: a run of its own takes under a second
REQUESTS = [
    Request(kind, f"{row}_A", (len(kind), row, row % 7), Sampling(96))
    for kind in ("short", "cot")
    for row in range(200)
]


class SlowWriter:
    def generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int] = ()
    ) -> list[Generated]:
        time.sleep(SECONDS * len(prompts))
        return [Generated("" if prompt[2] == 6 else text_of(prompt, sampling), 9, "stop") for prompt in prompts]


def text_of(prompt: Sequence[int], sampling: Sampling) -> str:
    return f"They think of {prompt[1]} and {prompt[0]}." if sampling.greedy or prompt[1] % 2 else ""


@contextmanager
def opened() -> Iterator[SlowWriter]:
    yield SlowWriter()


def run(folder: Path) -> None:
    """Write in slices of eight, so that a kill has many moments to come."""
    write.FIRST_ROWS = write.MOST_ROWS = 8
    write_texts(REQUESTS, OpenableWriter("slow", "1", opened), folder)


def kill_often(folder: Path | str, kills: int, seed: int = 1) -> dict:
    """Start the writing and kill it `kills` times, tear the last line now and then, let it end; the figures."""
    rng, killed, torn = random.Random(seed), 0, 0
    processes = multiprocessing.get_context("forkserver")  # imports once, and has no threads that a fork would lose
    processes.set_forkserver_preload(["tests.inference.writing.slow_writer"])
    folder = Path(folder)
    lines = folder / FILE
    while killed < kills:
        before = lines.stat().st_size if lines.exists() else 0
        process = processes.Process(target=run, args=(folder,))
        process.start()
        slices = rng.uniform(0, len(REQUESTS) / 8 / kills)  # so that something is left for the last kill
        while process.is_alive() and not grown(lines, before):
            time.sleep(0.002)
        time.sleep(slices * 8 * SECONDS)
        if not process.is_alive():
            break  # nothing is left to be killed
        process.kill()
        process.join()
        killed += 1
        if rng.random() < 0.5 and lines.exists() and lines.stat().st_size:
            torn += 1
            with lines.open("r+b") as file:  # as a kill, or a loss of power, in the middle of a line would
                file.truncate(lines.stat().st_size - rng.randint(1, 60))
    last = processes.Process(target=run, args=(folder,))
    last.start()
    last.join()
    assert last.exitcode == 0
    return {"killed": killed, "torn": torn, **count(lines)}


def grown(path: Path, before: int) -> bool:
    return path.exists() and path.stat().st_size > before


def count(lines: Path) -> dict:
    kept = [json.loads(line.split(" ", 1)[1]) for line in lines.read_text(encoding="utf-8").splitlines()]
    times = Counter(text["id"] for text in kept)
    there = {(text["kind"], text["key"]) for text in kept}
    return {
        "texts": len(kept),
        "twice": sum(number - 1 for number in times.values()),
        "lost": sum((request.kind, request.key) not in there for request in REQUESTS),
    }
