"""Makes submission.csv on several machines: Ray Data hands the chunks of predict to workers that keep a model loaded.

An extra for a million rows: nothing else imports Ray. Every machine needs this checkout, the models, and the folder of
--out at the same path. `ray start` makes the cluster; then predict ... --ray auto --workers 16.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import ray
import ray.data

from inference.engines.serving import Serving
from inference.fusion.calibration import Ensemble, check_ids
from inference.fusion.ensemble import Member
from inference.predict.anytime import Limit
from inference.predict.chunk_store import ChunkStore, alone
from inference.predict.predict import read_rows
from inference.predict.state import Prediction
from shared.task.current import TASK
from shared.task.submission import check_submission, known_of, names_of

ROOT = Path(__file__).parents[2]


def connect(address: str) -> None:
    """Connect to the Ray cluster at `address`; "auto" is the one that this machine belongs to, "local" a new one."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report what runs, and poll for it ever after
    ray.init(address, runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}}, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False  # in a log file they are six lines every 10 s


def predict_with_ray(competition: Path, ensemble: Ensemble, out: Path, serving: Serving, workers: int) -> list[dict]:
    """Write `out` as predict does without a limit, by `workers` on the cluster that Ray is connected to.

    One model at a time is on the workers, and each of them has a GPU (or as many as the profile splits a model over),
    where the profile has any. Returns {"stage", "chunk", "node"} of all chunks.
    """
    misconceptions = TASK.read_misconceptions(competition)
    serving = replace(serving, profile=serving.profile.model_copy(update={"replicas": 1}))  # each worker is one
    known = known_of(misconceptions)
    check_ids(ensemble.calibration, set(misconceptions["misconception_id"]))
    out.parent.mkdir(parents=True, exist_ok=True)
    models = ensemble.models
    models = replace(models, embedders=_absolute(models.embedders), rerankers=_absolute(models.rerankers))
    with alone(out), closing(ChunkStore(out, names=names_of(misconceptions))) as store:
        prediction = Prediction(models, ensemble.calibration, misconceptions, store, serving, Limit())
        read_rows(prediction, competition)
        said = []
        for number in range(len(models.embedders)):
            said += _on_all_chunks(Finder, prediction, number, workers)
        for number in range(len(models.rerankers)):
            said += _on_all_chunks(Ranker, prediction, number, workers)
        store.stale.update(range(len(store.sizes)))  # the workers' stores knew it
        store.publish(prediction.rank, True)
        check_submission(out, store.query_ids(), known)
    return said


class Finder:
    """A worker with a loaded embedder, for as long as it lives."""

    def __init__(self, prediction: Prediction, number: int):
        from inference.predict.retrieve_chunks import open_finding

        self.stack = ExitStack()  # kept: it closes the engine when it goes
        self.find = self.stack.enter_context(open_finding(prediction, number))

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return _each(batch, self.find)


class Ranker:
    """A worker with a loaded reranker, for as long as it lives."""

    def __init__(self, prediction: Prediction, number: int):
        from inference.predict.rerank_chunks import open_scoring

        self.stack = ExitStack()
        self.score = self.stack.enter_context(open_scoring(prediction, number))
        self.starts, self.sizes, self.wanted = (
            np.cumsum([0, *prediction.store.sizes]),
            prediction.store.sizes,
            prediction.wanted_of(number),
        )

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return _each(batch, lambda chunk: self.score(self.starts[chunk] + np.arange(self.sizes[chunk]), 0, self.wanted))


def _absolute(members: tuple[Member, ...]) -> tuple[Member, ...]:
    """Workers have a working directory of their own."""
    return tuple(replace(member, folder=member.folder.resolve()) for member in members)


def _on_all_chunks(worker: type, prediction: Prediction, number: int, workers: int) -> list[dict]:
    chunks = ray.data.from_items([{"chunk": chunk} for chunk in range(len(prediction.store.sizes))])
    done = chunks.map_batches(
        worker,
        fn_constructor_args=(prediction, number),
        batch_size=1,
        concurrency=min(workers, len(prediction.store.sizes)),
        num_cpus=1,
        num_gpus=prediction.serving.profile.tensor_parallel if prediction.serving.profile.device == "cuda" else 0,
    )
    return [{"stage": f"{worker.__name__} {number}", **row} for row in done.take_all()]


def _each(batch: dict[str, np.ndarray], work: Callable[[int], object]) -> dict[str, np.ndarray]:
    for chunk in batch["chunk"]:
        work(int(chunk))
    node = ray.get_runtime_context().get_node_id()
    return {**batch, "node": np.array([node] * len(batch["chunk"]))}
