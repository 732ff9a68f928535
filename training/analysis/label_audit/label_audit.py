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
from shared.task.folds import labelled_queries, labels_of, seen_ids
from shared.task.metrics import find_ranks, summarise
from shared.task.splits import DRAWS
from shared.task.submission import names_of
from shared.task.tables import PAIR, RANKED
from training.analysis.console import format_interval, open_console
from training.analysis.label_audit.decisions import Decisions, read_decisions
from training.analysis.label_audit.duplicates import SAME, find_duplicates, groups_of
from training.analysis.label_audit.suspects import find_confused, find_suspects

FOLDER = "label_audit"
LABELS, DUPLICATES, CONFUSED, SUMMARY = "labels.csv", "duplicates.csv", "confused.csv", "summary.json"
DECISION = "decision"  # the column that a person fills in
APART = "\t"  # between a query and one of its labels


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
    queries, labels, tables = _read(iteration, draws)
    duplicates = find_duplicates(misconceptions, _vectors(run, misconceptions) if vectors else None)
    same = groups_of(duplicates.filter(pl.col("kind") == SAME))
    suspects, confused = find_suspects(tables, labels, same), find_confused(tables, labels, same)
    suspects = suspects.with_columns(pl.col("query_id").str.split(APART).list.first())
    rows = queries.select("query_id", pl.struct(pl.all()).map_elements(row_text, pl.String).alias("row"))
    counts = {
        "draws": draws,
        "labels": labels["query_id"].n_unique(),
        "suspects": len(suspects),
        "agreed": suspects.filter(pl.col("agree") > 1).height,
        "duplicates": dict(duplicates.group_by("kind").len().iter_rows()),
        "confused": len(confused),
    }
    with replacing_folder(iteration / FOLDER) as partial:
        named = _named(suspects, misconceptions, "label", "suggestion").join(rows, on="query_id", how="left")
        _write(named, partial / LABELS)
        _write(_named(duplicates, misconceptions, "entry", "other"), partial / DUPLICATES)
        _write(_named(confused, misconceptions, "entry", "other"), partial / CONFUSED)
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
    draws = [iteration / name for name in DRAWS if is_whole(iteration / name / "evaluate")]
    names = names_of(TASK.tables.misconceptions.read(draws[0] / "prepare")) if draws else None
    numbers = {item: number for number, item in names.items()} if names else None
    decisions = read_decisions(decided / LABELS, decided / DUPLICATES, DECISION, numbers)
    table = Table("draw", "labels changed", "before", "after", title=f"{TASK.metric.title} reranked, whole catalogue")
    for run in draws:
        before, after, changed = _before_and_after(run, decisions)
        table.add_row(run.name, str(changed), format_interval(before), format_interval(after))
    open_console().print(table)
    path = decided / "corrections.csv"
    with replacing(path) as partial:
        rows = [(*pair, entry) for pair, entry in decisions.labels.items()]
        schema = {"query_id": pl.String, "label": pl.Int64, "misconception_id": pl.Int64}
        changes = pl.DataFrame(rows, schema=schema, orient="row")
        if names is None:
            changes = changes.drop("label")  # a query has one
        else:
            changes = changes.with_columns(
                pl.col("label", "misconception_id").replace_strict(names, return_dtype=pl.String)
            )
        changes.write_csv(partial)
    print(f"{path} holds {count(len(rows), 'corrected label')}")
    return 0


def _before_and_after(run: Path, decisions: Decisions) -> tuple[dict, dict, int]:
    queries, ranked = TASK.tables.queries.read(run / "prepare"), RANKED.read(run / "evaluate")
    valid, seen, settings = labelled_queries(queries, "valid"), seen_ids(queries), read_settings(run).evaluate
    rights = "right" if "right" in valid.columns else "misconception_id"
    own = [_changed(decisions, *row) for row in valid.select("query_id", rights).iter_rows()]
    put_right = valid.with_columns(pl.Series(rights, own, dtype=valid.schema[rights]))
    how = {"unseen_weight": settings.unseen_weight, "resamples": settings.bootstrap}
    before = summarise(find_ranks(valid, ranked), seen, **how)["all"]
    one = pl.col("misconception_id").replace(decisions.same)
    merged = ranked.with_columns(one).sort("query_id", "rank").unique(PAIR, keep="first", maintain_order=True)
    merged = merged.with_columns(rank=pl.int_range(1, pl.len() + 1).over("query_id").cast(pl.Int64))
    if rights == "right":
        put_right = _join_same(put_right, decisions)
    after = summarise(find_ranks(put_right.with_columns(one), merged), seen, **how)["all"]
    return before, after, sum(id_ != now for id_, now in zip(valid[rights].to_list(), own, strict=True))


def _join_same(queries: pl.DataFrame, decisions: Decisions) -> pl.DataFrame:
    """`queries` with each right answer once, under the name that is kept; of two grades the higher one stays."""
    rows = []
    for row in queries.iter_rows(named=True):
        best: dict[int, int] = {}
        for id_, grade in zip(row["right"], row["grades"], strict=True):
            kept = decisions.same.get(id_, id_)
            best[kept] = max(grade, best.get(kept, grade))
        rows.append({**row, "right": list(best), "grades": list(best.values())})
    return pl.DataFrame(rows, schema=queries.schema, orient="row")


def _changed(decisions: Decisions, query_id: str, right: int | list[int]) -> int | list[int]:
    """The right answer of a query, or all of them, as decided."""
    if isinstance(right, list):
        return [decisions.labels.get((query_id, id_), id_) for id_ in right]
    return decisions.labels.get((query_id, right), right)


def _read(iteration: Path, draws: list[str]) -> tuple[pl.DataFrame, pl.DataFrame, list[pl.DataFrame]]:
    """Labelled rows that some draw held out, their labels, and each draw's scored candidates that some row carries.

    Among all entries the first one is more often right by chance than a label is wrong: LOG.md has the precision. A
    label of a query that has several is judged by itself, without the others: its query_id then ends in APART and it.
    """
    held, tables = [], []
    for name in draws:
        queries = TASK.tables.queries.read(iteration / name / "prepare")
        held.append(labelled_queries(queries, "valid"))
        ranked = RANKED.read(iteration / name / "evaluate").drop_nulls("rerank_score")
        carried = ranked.join(labels_of(queries), on="misconception_id", how="semi", maintain_order="left")
        tables.append(carried.select(*PAIR, score="rerank_score"))
    queries = pl.concat(held).unique("query_id", maintain_order=True)
    labels = labels_of(queries).select(PAIR)
    if "right" in queries.columns:
        tables = [_judge_apart(table, labels) for table in tables]
        labels = labels.with_columns(query_id=pl.concat_str("query_id", "misconception_id", separator=APART))
    return queries, labels, tables


def _judge_apart(candidates: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The candidates of every label of a query by itself, without those that are right as well."""
    wrong = candidates.join(labels, on=PAIR, how="anti", maintain_order="left")
    wrong = wrong.join(labels.rename({"misconception_id": "label"}), on="query_id", maintain_order="left")
    own = candidates.join(labels, on=PAIR, how="semi", maintain_order="left").with_columns(label="misconception_id")
    rows = pl.concat([wrong, own.select(wrong.columns)])
    return rows.with_columns(query_id=pl.concat_str("query_id", "label", separator=APART)).drop("label")


def _vectors(run: Path, misconceptions: pl.DataFrame) -> np.ndarray:
    """Unit vectors of the entries by the run's embedder, remembered beside those of tagging."""
    settings = read_settings(run)
    serving = Serving(settings.evaluate.engine, load_profile(settings.machine.profile))
    models = TagModels(run / "merge_embedder", None, serving, plain())
    with open_tagger(models, misconceptions, vectors=run.parent / "tagging" / "vectors") as tagger:
        return tagger.catalogue.vectors


def _named(table: pl.DataFrame, misconceptions: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """`table` with the text of the entry in each of `columns` beside it, and the entry as people call it."""
    names = names_of(misconceptions)
    for column in columns:
        texts = misconceptions.select(pl.col("misconception_id").alias(column), pl.col("text").alias(f"{column}_text"))
        table = table.join(texts, on=column, how="left", maintain_order="left")
    return table.with_columns(pl.col(columns).replace_strict(names, return_dtype=pl.String)) if names else table


def _write(table: pl.DataFrame, path: Path) -> None:
    table.with_columns(pl.lit("").alias(DECISION)).write_csv(path)
