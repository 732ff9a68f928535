"""Measures seconds and memory of predict up to a million test rows, and of an exact search of 10 million passages.

The models are fake, fast and of the right width, so that what is measured is everything around them. Every size runs in
a process of its own. python -m benchmarks.scale rows 99 9999 99999, or passages COUNT WIDTH QUERIES.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from inference.engines.serving import Serving
from inference.fusion.calibration import Calibration, Ensemble
from inference.fusion.ensemble import Member, Models
from inference.machine.profiles import load_profile
from inference.predict import retrieve_chunks
from inference.predict.predict import predict
from inference.reranking import kinds
from inference.retrieval.exact_search import search_shards
from inference.retrieval.sharded_corpus import SHARD_BYTES, read_corpus, write_corpus
from shared.artifacts.card import EmbedderCard, RerankerCard, write_card
from shared.prompts.embedder import EmbedderPrompt
from shared.prompts.pointwise import INSTRUCTION, RerankerPrompt

WIDTH = 5120  # Qwen2.5-14B is that wide.
CATALOGUE_SIZE = 300  # With the real 2,587 misconceptions the search's products would hide everything else.
TOKENIZER = Path("models/smollm2-135m")


def main(what: str, *sizes: str) -> None:
    """Measure in new processes, and print a line for each."""
    for arguments in [[size] for size in sizes] if what == "rows" else [sizes]:
        command = [sys.executable, "-m", "benchmarks.scale", f"one-of-{what}", *arguments]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        print(done.stdout.splitlines()[-1], flush=True)


class FastEncoder:
    """Unit vectors from one block of random numbers, chosen by the prompt: in no time, and of the right size."""

    def __init__(self):
        block = np.random.default_rng(0).standard_normal((1024, WIDTH), dtype=np.float32)
        self.block = block / np.linalg.norm(block, axis=1, keepdims=True)

    def encode(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
        return self.block[[sum(prompt) % len(self.block) for prompt in prompts]]


class FastScorer:
    """Logits from sums of tokens."""

    def score(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
        return (np.array([sum(prompt) for prompt in prompts]) % 997).astype(np.float32)


def measure_rows(rows: int) -> dict:
    """Seconds by part and peak memory of predict for `rows` test rows, a multiple of 3."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _write_competition(folder, rows // 3)
        models = Models((Member(_write_model(folder / "e")),), (Member(_write_model(folder / "r")),))
        retrieve_chunks.open_encoder, kinds.open_scorer = _opening(FastEncoder()), _opening(FastScorer())
        before, began, computed = _memory(), time.perf_counter(), time.process_time()
        ensemble = Ensemble(models, Calibration(retrieved=25, depth=5))
        predict(folder, ensemble, folder / "out.csv", Serving("vllm", load_profile("h200")))
        seconds, computed = time.perf_counter() - began, time.process_time() - computed
        parts = json.loads((folder / "timings.json").read_text(encoding="utf-8"))
    return {
        "rows": rows,
        "seconds": round(seconds, 1),
        "processor_ms_a_row": round(1000 * computed / rows, 3),  # not moved by what else the machine does
        **parts,
        "MiB_before": before,
        "MiB_peak": _memory(),
    }


def measure_passages(count: int, width: int, queries: int) -> dict:
    """Seconds and peak memory of writing and of searching `count` passages, and whether brute force agrees."""
    rng = np.random.default_rng(0)
    asked = rng.standard_normal((queries, width), dtype=np.float32)
    block = rng.standard_normal((SHARD_BYTES // (4 * width), width), dtype=np.float32)

    def encode(part: slice) -> np.ndarray:  # every shard another turn of the block: distinct rows without the time
        return np.roll(block[: part.stop - part.start], part.start // len(block) % width, axis=1)

    with tempfile.TemporaryDirectory() as place:
        before, began = _memory(), time.perf_counter()
        write_corpus(np.arange(count), encode, width, Path(place))
        written = time.perf_counter()
        found, scores = search_shards(asked, read_corpus(Path(place)), 25)
        searched = time.perf_counter()
        peak = _memory()
        exact = all(_best_by_hand(asked[row], Path(place), scores[row]) for row in range(min(2, queries)))
    return {
        "passages": count,
        "width": width,
        "queries": queries,
        "seconds_to_write": round(written - began, 1),
        "seconds_to_search": round(searched - written, 1),
        "exact": exact and len(np.unique(found[0])) == 25,
        "MiB_before": before,
        "MiB_peak": peak,
    }


def _best_by_hand(query: np.ndarray, corpus: Path, scores: np.ndarray) -> bool:
    every = np.concatenate([rows @ query for _, rows in read_corpus(corpus)])
    return np.allclose(np.sort(every)[:-26:-1], scores, atol=1e-3)


def _write_competition(folder: Path, questions: int) -> None:
    with open(folder / "misconception_mapping.csv", "w", encoding="utf-8") as file:
        file.write("MisconceptionId,MisconceptionName\n")
        file.writelines(
            f"{n},Takes step {n % 17} of {n} for step {n % 13} when it adds\n" for n in range(CATALOGUE_SIZE)
        )
    with open(folder / "test.csv", "w", encoding="utf-8") as file:
        file.write("QuestionId,ConstructId,ConstructName,SubjectId,SubjectName,CorrectAnswer,QuestionText,")
        file.write("AnswerAText,AnswerBText,AnswerCText,AnswerDText\n")
        text = "What does one get for step {0} of {1} when all of it is added up and {2} is taken away?"
        for n in range(questions):
            asked = text.format(n % 17, n, n * 7919 % 1000)
            file.write(f"{n},1,Add whole numbers in steps,2,Addition,A,{asked},{n},{n + 1},{n + 2},{n + 3}\n")


def _write_model(folder: Path) -> Path:
    folder.mkdir()
    for path in TOKENIZER.glob("*token*"):
        shutil.copy(path, folder)
    card = RerankerCard(RerankerPrompt(384, 64, INSTRUCTION))
    if folder.name == "e":
        card = EmbedderCard("last", EmbedderPrompt("Find the misconception.", 1024, 128, 384, 128))
    write_card(card, folder)
    return folder


def _opening(model: object):
    @contextmanager
    def opened(*_: object) -> Iterator[object]:
        yield model

    return opened


def _memory() -> int:
    """The most memory that this process had so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    if sys.argv[1].startswith("one-of-"):
        measure = measure_rows if sys.argv[1] == "one-of-rows" else measure_passages
        print(json.dumps(measure(*map(int, sys.argv[2:]))))
    else:
        main(*sys.argv[1:])
