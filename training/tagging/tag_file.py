"""Tags the rows of a file: writes the best entries of the catalogue for each, with scores and probabilities."""

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TextIO

from inference.engines.progress import Meter
from inference.tagging.rows import read_rows
from inference.tagging.tagger import Tagged
from shared.artifacts.files import replacing
from shared.counted import count
from training.tagging.run_models import RunTagging

AT_ONCE = 256  # rows: enough to fill an engine
HEADER = ("id", "rank", "entry", "text", "score", "probability", "absent", "in_catalogue")


def tag_file(path: Path, out: Path | None, k: int, run: RunTagging) -> int:
    """Write the tags of every row of `path` to `out`; 0. Raises ValueError at a defect, before anything is written.

    CSV has a line for each tag, JSON Lines a line for each row. A row without an id gets its number, from 1.
    """
    lines = path.suffix.lower() in (".jsonl", ".ndjson")
    out = out or path.with_name(f"{path.stem}.tags{path.suffix if lines else '.csv'}")
    if out.suffix.lower() not in (".csv", ".jsonl", ".ndjson"):
        raise ValueError(f"out={out}: its name has to end in .csv or .jsonl, which says how it is written")
    total = sum(1 for _ in read_rows(path))  # all of them are sound before a model is opened
    with ExitStack() as stack:
        tagger = stack.enter_context(run.open())
        partial = stack.enter_context(replacing(out))
        file = stack.enter_context(open(partial, "w", encoding="utf-8", newline=""))
        meter = stack.enter_context(Meter(desc="tag", total=total, unit=" rows"))
        counts = _write(file, out.suffix.lower(), _tag(path, tagger, k, meter))
    rows, absent, silent = counts
    told = "" if run.models.confidence is None else f", {absent} of them probably not in the catalogue"
    print(f"{out}: {count(rows, 'row')} tagged{told}", flush=True)
    if silent:
        print(f"{count(silent, 'row')} without tags: the models have no answer there", flush=True)
    return 0


def _tag(path: Path, tagger, k: int, meter: Meter) -> Iterator[tuple[str, Tagged]]:
    number, waiting = 0, read_rows(path)
    while rows := list(islice(waiting, AT_ONCE)):
        for tagged in tagger.tag(rows, k):
            number += 1
            yield tagged.id or str(number), tagged
        meter.update(len(rows))


def _write(file: TextIO, form: str, tagged: Iterable[tuple[str, Tagged]]) -> tuple[int, int, int]:
    """Write all; the number of rows, of those that are probably not in the catalogue, and of those without tags."""
    rows = absent = silent = 0
    writer = csv.writer(file, lineterminator="\n")
    if form == ".csv":
        writer.writerow(HEADER)
    for id_, one in tagged:
        rows, absent, silent = rows + 1, absent + (one.in_catalogue is False), silent + (not one.tags)
        if form != ".csv":
            file.write(json.dumps({**asdict(one), "id": id_}, ensure_ascii=False) + "\n")
            continue
        whole = [_number(one.absent), "" if one.in_catalogue is None else str(one.in_catalogue).lower()]
        for rank, tag in enumerate(one.tags, 1):
            writer.writerow([id_, rank, tag.id, tag.text, _number(tag.score), _number(tag.probability), *whole])
        if not one.tags:
            writer.writerow([id_, "", "", "", "", "", *whole])
    return rows, absent, silent


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
