"""Looks for wrong labels and double entries with an iteration's evaluated draws; measures what decisions change."""

from pathlib import Path

import numpy as np
import polars as pl
from rich.table import Table

from inference.engines.serving import Serving
from inference.fusion.calibration import plain
from inference.machine.profiles import load_profile
from inference.tagging.tagger import TagModels, open_tagger
from shared.artifacts.files import replacing, replacing_folder, write_json
from shared.artifacts.manifest import is_whole
from shared.counted import count
from shared.prompts.query import row_text
from shared.settings.load import read_settings
from shared.task.current import TASK
from shared.task.folds import labelled_queries, seen_ids
from shared.task.metrics import find_ranks, summarise
from shared.task.splits import DRAWS
from shared.task.tables import PAIR, RANKED
from training.analysis.console import format_interval, open_console
from training.analysis.label_audit.decisions import Decisions, read_decisions
from training.analysis.label_audit.duplicates import SAME, find_duplicates, groups_of
from training.analysis.label_audit.suspects import find_confused, find_suspects

FOLDER = "label_audit"
LABELS, DUPLICATES, CONFUSED, SUMMARY = "labels.csv", "duplicates.csv", "confused.csv", "summary.json"
DECISION = "decision"  # the column that a person fills in


def audit_labels(iteration: Path, *, vectors: bool = True) -> int:
    """Fill `iteration`/label_audit with three lists to work through, and print how long they are; 0.

    Raises ValueError where no draw is evaluated.
    """
    draws = [name for name in DRAWS if is_whole(iteration / name / "evaluate")]
    if not draws:
        again = f"just train iter={iteration.name.removeprefix('iter')} split=cv"
        raise ValueError(f"{iteration} has no evaluated draw of {', '.join(DRAWS)}: {again}")
    run = iteration / draws[0]
    misconceptions = TASK.tables.misconceptions.read(run / "prepare")
    labels, tables = _read(iteration, draws)
    duplicates = find_duplicates(misconceptions, _vectors(run, misconceptions) if vectors else None)
    same = groups_of(duplicates.filter(pl.col("kind") == SAME))
    suspects, confused = find_suspects(tables, labels, same), find_confused(tables, labels, same)
    texts = misconceptions.select("misconception_id", "text")
    rows = labels.select("query_id", pl.struct(pl.all()).map_elements(row_text, pl.String).alias("row"))
    counts = {
        "draws": draws,
        "labels": labels["query_id"].n_unique(),
        "suspects": len(suspects),
        "agreed": suspects.filter(pl.col("agree") > 1).height,
        "duplicates": dict(duplicates.group_by("kind").len().iter_rows()),
        "confused": len(confused),
    }
    with replacing_folder(iteration / FOLDER) as partial:
        named = _named(_named(suspects, texts, "label"), texts, "suggestion").join(rows, on="query_id", how="left")
        _write(named, partial / LABELS)
        _write(_named(_named(duplicates, texts, "entry"), texts, "other"), partial / DUPLICATES)
        _write(_named(_named(confused, texts, "entry"), texts, "other"), partial / CONFUSED)
        write_json(partial / SUMMARY, counts)
    print(f"{counts['suspects']} of {counts['labels']} labels are not ranked first by any draw that held them out")
    print(f"{counts['agreed']} of these have two draws or more that agree on another entry")
    print(f"double entries: {counts['duplicates'] or 'none'}; {count(len(confused), 'confused pair')}")
    print(f"written to {iteration / FOLDER}; fill in its column {DECISION}, and say decided={iteration / FOLDER}")
    return 0


def measure_decisions(iteration: Path, decided: Path) -> int:
    """Print the figures of every evaluated draw before and after the decisions in `decided`; 0.

    Nothing is trained anew: the same rankings are judged by the labels that a person has put right, and entries that
    were said to be the same count as one. The corrections are written to `decided`/corrections.csv.
    """
    decisions = read_decisions(decided / LABELS, decided / DUPLICATES, DECISION)
    table = Table("draw", "labels changed", "before", "after", title=f"{TASK.metric.title} reranked, whole catalogue")
    for name in (name for name in DRAWS if is_whole(iteration / name / "evaluate")):
        run = iteration / name
        before, after, changed = _before_and_after(run, decisions)
        table.add_row(name, str(changed), format_interval(before), format_interval(after))
    open_console().print(table)
    path = decided / "corrections.csv"
    with replacing(path) as partial:
        rows = list(decisions.labels.items())
        pl.DataFrame(rows, schema={"query_id": pl.String, "misconception_id": pl.Int64}, orient="row").write_csv(
            partial
        )
    print(f"{path} holds {count(len(rows), 'corrected label')}")
    return 0


def _before_and_after(run: Path, decisions: Decisions) -> tuple[dict, dict, int]:
    queries, ranked = TASK.tables.queries.read(run / "prepare"), RANKED.read(run / "evaluate")
    valid, seen, settings = labelled_queries(queries, "valid"), seen_ids(queries), read_settings(run).evaluate
    own = pl.col("query_id").replace_strict(decisions.labels, default=pl.col("misconception_id"), return_dtype=pl.Int64)
    put_right = valid.with_columns(misconception_id=own)
    how = {"unseen_weight": settings.unseen_weight, "resamples": settings.bootstrap}
    before = summarise(find_ranks(valid, ranked), seen, **how)["all"]
    one = pl.col("misconception_id").replace(decisions.same)
    merged = ranked.with_columns(one).sort("query_id", "rank").unique(PAIR, keep="first", maintain_order=True)
    merged = merged.with_columns(rank=pl.int_range(1, pl.len() + 1).over("query_id").cast(pl.Int64))
    after = summarise(find_ranks(put_right.with_columns(one), merged), seen, **how)["all"]
    return before, after, int((valid["misconception_id"] != put_right["misconception_id"]).sum())


def _read(iteration: Path, draws: list[str]) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Labelled rows that some draw held out, and each draw's scored candidates that some row of the file carries.

    Among all entries the first one is more often right by chance than a label is wrong: LOG.md has the precision.
    """
    labels, tables = [], []
    for name in draws:
        queries = TASK.tables.queries.read(iteration / name / "prepare")
        labels.append(labelled_queries(queries, "valid"))
        ranked = RANKED.read(iteration / name / "evaluate").drop_nulls("rerank_score")
        carried = ranked.join(queries, on="misconception_id", how="semi", maintain_order="left")
        tables.append(carried.select(*PAIR, score="rerank_score"))
    return pl.concat(labels).unique("query_id", maintain_order=True), tables


def _vectors(run: Path, misconceptions: pl.DataFrame) -> np.ndarray:
    """Unit vectors of the entries by the run's embedder, remembered beside those of tagging."""
    settings = read_settings(run)
    serving = Serving(settings.evaluate.engine, load_profile(settings.machine.profile))
    models = TagModels(run / "merge_embedder", None, serving, plain())
    with open_tagger(models, misconceptions, vectors=run.parent / "tagging" / "vectors") as tagger:
        return tagger.catalogue.vectors


def _named(table: pl.DataFrame, texts: pl.DataFrame, column: str) -> pl.DataFrame:
    """`table` with the text of the entry in `column` beside it."""
    named = texts.rename({"misconception_id": column, "text": f"{column}_text"})
    return table.join(named, on=column, how="left", maintain_order="left")


def _write(table: pl.DataFrame, path: Path) -> None:
    table.with_columns(pl.lit("").alias(DECISION)).write_csv(path)
