"""Makes submission.csv from a competition folder and merged models, ever better, until it is done or time is up.

Words shared, then written about, retrieved, fused, reranked, fused, calibrated: after each step and shard a valid file
stands there.
"""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from inference.engines.serving import Serving
from inference.engines.writers.check import check_writer
from inference.fusion.calibration import Ensemble, check_ids
from inference.fusion.ensemble import Models
from inference.predict.anytime import Limit, say_loudly
from inference.predict.chunk_store import ChunkStore, alone
from inference.predict.losses import describe_losses
from inference.predict.state import Prediction
from inference.retrieval.bm25 import WordIndex
from inference.writing.replay import read_texts, texts_of
from inference.writing.shots import find_shots
from shared.artifacts.card import read_embedder_card, read_reranker_card
from shared.artifacts.files import write_log
from shared.artifacts.manifest import read_manifest
from shared.prompts.query import RATIONALES
from shared.settings.sections import Explain
from shared.task.current import TASK
from shared.task.submission import check_submission, known_of, names_of
from shared.task.texts import with_rationales

QUESTIONS = 700  # of a chunk: 2,100 rows, whose queries are 0.9 M tokens with their examples: minutes on a T4


def predict(
    competition: Path,
    ensemble: Ensemble,
    out: Path,
    serving: Serving,
    limit: Limit | None = None,
    vectors: Path | None = None,
) -> dict:
    """Write `out` (submission.csv); beside it timings.json, seconds by part, and budget.json, which model came how far.

    One model is in memory at a time, and one chunk of the test rows, with what rationales.csv in `competition` says of
    them. What a model raises is printed and costs its part of the result, not the result; the rows without its answer
    are named. `vectors` is a folder that remembers vectors from run to run. Returns what budget.json says; "failed"
    there names the models that failed.
    """
    models, calibration, limit = ensemble.models, ensemble.calibration, limit or Limit()
    if vectors is not None:
        for member in models.embedders:
            read_manifest(member.folder)  # by which a model's vectors are told from another's
    kinds = _read_cards(models, competition)
    misconceptions = TASK.read_misconceptions(competition)
    known, names = known_of(misconceptions), names_of(misconceptions)
    check_ids(calibration, set(misconceptions["misconception_id"]))
    out.parent.mkdir(parents=True, exist_ok=True)
    with alone(out):
        with closing(ChunkStore(out, limit.clock, names)) as store:
            prediction = Prediction(models, calibration, misconceptions, store, serving, limit, vectors)
            seconds: dict[str, float] = {}
            _timed("read", seconds, lambda: read_rows(prediction, competition))
            if limit.left() > 0:
                _check_models(models)
            if models.writer is not None:
                _timed("write", seconds, lambda: _write(prediction, kinds))
            _timed("retrieve", seconds, lambda: _retrieve(prediction))
            _timed("rerank", seconds, lambda: _rerank(prediction))
            check_submission(out, store.query_ids(), known)
            report = _report(prediction)
        write_log(out.with_name("timings.json"), seconds)
        return report


def read_rows(prediction: Prediction, competition: Path) -> None:
    """Cut the test rows into chunks, and let the words that they share with misconceptions make a first submission."""
    index, path, kinds = WordIndex(prediction.misconceptions), competition / Explain().file, RATIONALES["both"]
    written, without = read_texts(path, kinds) if path.is_file() else {}, 0
    for queries in TASK.stream_test(competition, QUESTIONS):
        if written:
            folds = dict(queries.select("query_id", "fold").iter_rows())
            without += sum(query_id not in written for query_id in folds)
            queries = with_rationales(queries, texts_of(written, path.name, kinds, folds))
        chunk = prediction.store.add(queries)
        prediction.store.keep("candidates", chunk, index.rank(queries, prediction.calibration.retrieved))
    if without:
        print(f"{path} has no text for {without} of {sum(prediction.store.sizes)} rows; they do without", flush=True)
    prediction.publish(True)


def _check_models(models: Models) -> None:
    """Raise ValueError for a model that is not whole: one sentence now instead of a failed part later."""
    from inference.predict.check_models import check_embedder, check_reranker

    for member in models.embedders:
        check_embedder(member.folder)
    for member in models.rerankers:
        check_reranker(member.folder)


def _read_cards(models: Models, competition: Path) -> list[str]:
    """The kinds of rationales that the models read. A wrong folder is said now, not after retrieval."""
    cards = [
        *(read_embedder_card(member.folder) for member in models.embedders),
        *(read_reranker_card(member.folder) for member in models.rerankers),
    ]
    read = {kind for card in cards for kind in RATIONALES[card.prompt.rationale]}
    kinds = [kind for kind in RATIONALES["both"] if kind in read]
    if models.writer is not None:
        check_writer(models.writer.folder, models.writer.adapter)
        find_shots(models.writer.folder, models.writer.shots, kinds)
        if not kinds:
            raise ValueError("none of these models reads rationales: leave --writer out, or take models that do")
        if (file := competition / Explain().file).is_file():
            raise ValueError(f"{file} has the texts that --writer would write: leave one of the two out")
    return kinds


def _write(prediction: Prediction, kinds: list[str]) -> None:
    from inference.predict.writing.rationales import write_all

    write_all(prediction, kinds)


def _retrieve(prediction: Prediction) -> None:
    from inference.predict.retrieve_chunks import find_all  # imports torch: not before a first submission stands

    find_all(prediction)


def _rerank(prediction: Prediction) -> None:
    from inference.predict.rerank_chunks import score_all

    score_all(prediction)


def _report(prediction: Prediction) -> dict:
    """Write budget.json, and name in a sentence for each model the rows that it has no answer for."""
    report = prediction.report("ended by itself", final=True)
    for entry in report["embedders"] + report["rerankers"]:
        if sentence := describe_losses(entry, report["rows"]):
            say_loudly(sentence)
    return report


def _timed(part: str, seconds: dict[str, float], work: Callable):
    start = time.perf_counter()
    result = work()
    seconds[part] = round(time.perf_counter() - start, 2)
    with suppress(OSError):  # a full disk behind the output
        print(f"{part}  {seconds[part]:.1f} s", flush=True)
    return result
