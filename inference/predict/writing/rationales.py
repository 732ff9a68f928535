"""Has a language model write about the test rows, and puts the texts beside the rows, for retrieval and reranking."""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from inference.engines.open import count_processes
from inference.engines.replicas import open_replicas, visible_gpus
from inference.engines.writers.open import WriterOpening
from inference.fusion.ensemble import Writing
from inference.machine.profiles import Profile
from inference.predict.state import Prediction, size_of
from inference.predict.writing.in_time import OpenableWriting, Phase, Write, write_in_time
from inference.retrieval.bm25 import WordIndex
from inference.writing.requests import openable_writer, row_requests, with_room, words_of_writer
from inference.writing.shots import find_shots
from inference.writing.store import open_store
from inference.writing.write import Desk, Request
from shared.prompts.writer import PROMPTS
from shared.task.tables import TEXTS
from shared.task.texts import with_rationales

SEED = "predict"
WEIGHTS_SHARE = 0.8  # of what vLLM may take of a GPU: the rest is for what attention keeps of the texts in work
SPLITS = (1, 2, 4, 8)  # GPUs that can share a copy: heads are shared out evenly

Task = tuple[Request, int]  # a text that is wanted, and which attempt at it this is


def write_all(prediction: Prediction, kinds: Sequence[str]) -> None:
    """Write as many texts of these kinds, the first ones first, as there is time for. What is raised is printed."""
    try:
        texts = _write(prediction, kinds)
    except Exception:
        traceback.print_exc()
        prediction.written.ended = "failed"
        return
    index = WordIndex(prediction.misconceptions)
    for chunk in range(len(prediction.store.sizes)) if len(texts) else ():
        queries = with_rationales(prediction.store.read("queries", chunk), texts)
        prediction.store.keep("queries", chunk, queries)
        prediction.store.keep("candidates", chunk, index.rank(queries, prediction.calibration.retrieved))
    prediction.publish(True)


def _write(prediction: Prediction, kinds: Sequence[str]) -> pl.DataFrame:
    """The TEXTS that were written."""
    writing, store = prediction.models.writer, prediction.store
    words = words_of_writer(writing.folder)
    chunks = [store.read("queries", chunk) for chunk in range(len(store.sizes))]
    shots = find_shots(writing.folder, writing.shots, kinds)
    requests = [request for queries in chunks for request in row_requests(queries, words, kinds, shots)]
    profile = _profile(prediction.serving.profile, writing)
    opening = with_room(WriterOpening(prediction.serving.engine, writing.folder, profile, 0, writing.adapter), requests)
    with open_store(store.folder / "texts") as kept:
        desk = Desk(openable_writer(requests, opening), kept, SEED)
        phases = [_phase(desk, requests, kind, attempt) for attempt in (0, 1) for kind in kinds]
        write_in_time(_openable(desk, opening), phases, prediction.limit, prediction.written)
        rows = [desk.row(request) for request in requests if not desk.wants(request, 0)]
    return pl.DataFrame(rows, schema=TEXTS.schema, orient="row")


def _phase(desk: Desk, requests: Sequence[Request], kind: str, attempt: int) -> Phase:
    def pending() -> list[Task]:
        wanted = [one for one in requests if one.kind == kind and desk.wants(one, attempt)]
        return [(one, attempt) for one in sorted(wanted, key=lambda one: one.prompt)]  # what begins alike together

    return Phase(kind if attempt == 0 else f"{kind} again", PROMPTS[kind].sampling.max_tokens, pending)


def _openable(desk: Desk, opening: WriterOpening) -> OpenableWriting:
    """The writer in processes of its own, even where there is one: a process that hangs can be killed."""

    @contextmanager
    def opened(seconds: float) -> Iterator[Write]:
        with open_replicas(opening, max(count_processes(opening.profile), 1), seconds) as replicas:
            desk.opened = replicas

            def write(tasks: Sequence[Task], seconds: float) -> int:
                replicas.patience = seconds
                return sum(one.tokens for one in desk.write([request for request, _ in tasks], tasks[0][1]))

            yield write

    return OpenableWriting(opening.folder.name, opened)


def _profile(profile: Profile, writing: Writing) -> Profile:
    """The machine's profile, with as many GPUs to a copy of the writer as were asked for, or as its weights need."""
    there = profile.replicas * profile.tensor_parallel
    share = WEIGHTS_SHARE * profile.memory_share * profile.gpu_gib * 2**30
    needed = writing.gpus
    if not needed and share and profile.device == "cuda":
        there = there or len(visible_gpus())
        needed = next((count for count in SPLITS if size_of(writing.folder) <= count * share), SPLITS[-1])
        needed = min(needed, there)
    if not needed:
        return profile
    return profile.model_copy(update={"tensor_parallel": needed, "replicas": there // needed})
