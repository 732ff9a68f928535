"""Gets the texts that the stages explain and describe want: from the model of [writer], or from a file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from inference.engines.checks.lengths import positions_of
from inference.engines.checks.model import load_config
from inference.engines.protocols import Writer
from inference.engines.writers.open import WriterOpening, open_writer
from inference.machine.profiles import load_profile
from inference.writing.replay import read_texts, replay
from inference.writing.requests import description_requests, revision_of, row_requests, with_room, words_of_writer
from inference.writing.shots import Shots, choose_shots, write_shots
from inference.writing.write import OpenableWriter, Request, write_texts
from shared.prompts.query import DESCRIPTION, RATIONALES
from shared.settings.load import RUNS
from shared.task.tables import TEXTS
from training.export.merge import merge
from training.run_folder.base_models import local_folder
from training.run_folder.stage_context import StageContext
from training.run_folder.students import adapter_of, student_of
from training.trainer.writing.students import parts_of

STORE = RUNS / "texts"  # of all runs: a text that one of them had written is there for the others


def rationales(context: StageContext) -> pl.DataFrame:
    """TEXTS about every row, whatever its fold: of one writer, or of the students that have not seen their rows."""
    section, queries = context.settings.explain, context.queries()
    kinds = RATIONALES[section.kinds]
    if section.writer == "replay":
        folds = dict(queries.select("query_id", "fold").iter_rows())
        return replay(Path(context.settings.prepare.competition) / section.file, kinds, folds)
    shots = _shots(context, queries, kinds) if section.shots else None
    requests = row_requests(queries, words_of_writer(local_folder(context.settings.writer.base)), kinds, shots)
    if not context.settings.train_writer.file:
        return _write(context, section.writer, requests)
    trained = context.settings.train_writer
    parts = parts_of(queries, trained, context.settings.prepare.similar)
    written = []
    for part in [*range(trained.parts), None]:
        student = student_of(part)
        own = [request for request in requests if parts.get(request.key) == part]
        adapter = adapter_of(context.run / "train_writer", student, trained)
        written.append(_write(context, section.writer, own, student, adapter))
    order = pl.DataFrame([(one.kind, one.key) for one in requests], schema=["kind", "key"], orient="row")
    return order.join(pl.concat(written), on=["kind", "key"], how="left", maintain_order="left").select(*TEXTS.schema)


def descriptions(context: StageContext) -> pl.DataFrame:
    """TEXTS about every misconception, written from the names alone."""
    section, misconceptions = context.settings.describe, context.misconceptions()
    if section.writer == "replay":
        ids = misconceptions["misconception_id"].cast(pl.String)
        path = Path(context.settings.prepare.competition) / section.file
        return replay(path, [DESCRIPTION], dict.fromkeys(ids, ""))
    words = words_of_writer(local_folder(context.settings.writer.base))
    return _write(context, section.writer, description_requests(misconceptions, words))


def _shots(context: StageContext, queries: pl.DataFrame, kinds: Sequence[str]) -> Shots:
    """The solved examples of explain.shots_file; they are kept beside the texts, for predictions."""
    section, prepare = context.settings.explain, context.settings.prepare
    path = Path(prepare.competition) / section.shots_file
    written = read_texts(path, kinds)
    try:
        shots = choose_shots(queries, written, kinds, section.shots, prepare.similar, context.settings.writer.seed)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    write_shots(shots, context.out)
    return shots


def _write(
    context: StageContext, engine: str, requests: Sequence[Request], student: str = "", adapter: Path | None = None
) -> pl.DataFrame:
    """What `requests` ask for, from the store as far as it is there."""
    section, profile = context.settings.writer, load_profile(context.settings.machine.profile)
    opening = with_room(WriterOpening(engine, local_folder(section.base), profile, 0, adapter), requests)
    _check_room(opening)
    name = "/".join(filter(None, [section.base.rpartition("/")[2], student]))
    writer = OpenableWriter(name, revision_of(opening), partial(_open, opening))
    return write_texts(requests, writer, STORE, section.seed, wait_seconds=inf)


def _check_room(opening: WriterOpening) -> None:
    """Raise ValueError where a prompt with its text is longer than what the model reads, before any is written."""
    most = positions_of(load_config(opening.folder))
    if most is not None and opening.longest > most:
        raise ValueError(
            f"a prompt and its text may have {opening.longest} tokens, and {opening.folder} reads {most}: take another "
            "writer, or show it fewer explain.shots"
        )


@contextmanager
def _open(opening: WriterOpening) -> Iterator[Writer]:
    """The model of `opening`; its adapter is merged first where transformers run it."""
    if opening.adapter is None or opening.engine == "vllm":
        with open_writer(opening) as writer:
            yield writer
        return
    with TemporaryDirectory() as place:
        merge(opening.folder, opening.adapter, Path(place))
        with open_writer(replace(opening, folder=Path(place), adapter=None)) as writer:
            yield writer
