"""Makes a run folder as a finished run leaves it, of generated questions and made-up scores, in about a second."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from shared.artifacts.manifest import digest, write_manifest
from shared.settings.load import RUNS, load_settings, write_settings
from shared.task.eedi import read_competition
from shared.task.folds import hold_out_misconceptions, seed_of, seen_ids
from shared.task.metrics import summarise
from shared.task.tables import CANDIDATES, MISCONCEPTIONS, QUERIES, RANKED, RANKS, SIBLINGS
from training.evaluation.baselines import rank_by_bm25, rank_by_popularity
from training.evaluation.evaluate import PAIR, cut, measure, pools_of, rank_table, rerank_first
from training.evaluation.siblings import compare_siblings
from training.pipeline.inputs import inputs_of
from training.pipeline.stages import stages_of
from training.run_folder.training_log import TrainingLog, log_of
from training.synthesis.malrules.generate import write_competition

TRAINED = "f" * 64  # the fingerprint of both trainings
COMMIT = "8d92255124f1fa3a417be1e4a2d27cd9af2e6208"
# What ends a script, opens one, ends CDATA, loads from a network, is a template's brace, ends an attribute, is endless.
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=https://example.com/x.png onerror='window.hacked=2'>",
    "]]> <!-- <style>*{display:none}</style> --> {{ 7 * 7 }} {% raw %} ${window.hacked=3} \\(\\frac12\\) "
    "\\(\\frac34 \\href{javascript:window.hacked=5}{x}\\) & &lt;b&gt;",
    "\"'><svg onload=window.hacked=4> " + "x" * 300 + " \u2028 \u202eabc \x07",
)


def finish_run(
    competition: Path, iteration: str = "demo1", split: str = "cv", *, questions: int = 240, hostile=False, better=0.0
) -> Path:
    """runs/`iteration`/`split`, where every stage is done; `better` raises the right answer's made-up scores."""
    write_competition(competition, questions=questions, test_questions=max(questions // 4, 4))
    data, run = read_competition(competition), RUNS / iteration / split
    settings = load_settings(iteration, [f"prepare.competition={competition}", "evaluate.bootstrap=200"])
    write_settings(settings, run)
    queries, misconceptions = data.train.with_columns(fold=pl.lit("train")), data.misconceptions
    if split != "full":
        queries = hold_out_misconceptions(data.train, misconceptions, 0.25, split, 0.75)
    if hostile:
        queries, misconceptions = _poison(queries, misconceptions)
    QUERIES.write(queries, run / "prepare")
    MISCONCEPTIONS.write(misconceptions, run / "prepare")
    if split != "full":
        _evaluate(run, queries, misconceptions, settings.evaluate, better)
        report = [("question", "queries.parquet", 631), ("misconception", "queries.parquet", 631)]
        report += [("negative", "groups.parquet", 9465), ("lineage", "", 14)]
        rows = [{"rule": rule, "file": f"{run}/{file}", "rows": n, "violations": 0} for rule, file, n in report]
        _write(run / "audit/audit.json", rows)
    for model, epochs in (("embedder", settings.train_embedder.epochs), ("reranker", settings.train_reranker.epochs)):
        _write(run / f"train_{model}/metrics.json", _history(run, model, epochs, split != "full"))
        _log(run / f"train_{model}", epochs)
    for number, stage in enumerate(stages_of(split, settings)):
        values = settings.model_dump(mode="json")
        _write(run / stage.name / "done.json", stage.name)
        lineage = {
            "stage": stage.name,
            "seconds": 3.7 * (number + 1) ** 1.8,
            "commit": COMMIT,
            "dirty": number > 6,
            "code": "c0de" * 16,
            "fingerprint": TRAINED if stage.trains else f"{number:x}" * 64,
            "inputs": {str(path): _digest(path) for path in inputs_of(stage, RUNS / iteration / split, settings)},
            "settings": {section: values[section] for section in stage.sections},
        }
        trained, _, model = stage.name.partition("_")
        if trained == "merge":
            lineage |= {"adapter": f"train_{model}/epoch_{getattr(settings, stage.name).epoch}"}
        write_manifest(run / stage.name, lineage)
    return run


def _poison(queries: pl.DataFrame, misconceptions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every text, the names of the subjects too, with one of HOSTILE behind it."""

    def poison(column: str) -> pl.Expr:
        return pl.col(column) + " " + pl.lit(pl.Series(HOSTILE)).gather(pl.int_range(pl.len()) % len(HOSTILE))

    subject = pl.col("subject") + " " + pl.lit(HOSTILE[0] + HOSTILE[3])
    texts = [poison(column) for column in ("construct", "question", "correct", "wrong")]
    return queries.with_columns(subject, *texts), misconceptions.with_columns(poison("text"))


def _evaluate(run: Path, queries: pl.DataFrame, misconceptions: pl.DataFrame, settings, better: float) -> None:
    valid = queries.filter(pl.col("fold") == "valid").drop_nulls("misconception_id")
    pools, bm25 = pools_of(queries, misconceptions), rank_by_bm25(misconceptions, valid)
    models = {
        name: _made_up(valid, misconceptions, bm25, queries, known + better, name)
        for name, known in (("untrained", 0.1), ("miner", 0.3), ("retrieved", 0.7))
    }
    rankings = {"popularity": rank_by_popularity(queries, misconceptions, valid), "bm25": bm25, **models}
    tables = {name: cut(table, pools, settings.pool) for name, table in rankings.items()}
    near = tables["retrieved"]["catalogue"].filter(pl.col("rank") <= settings.depth)
    near = pl.concat([near, tables["retrieved"]["labelled"].filter(pl.col("rank") <= settings.depth)])
    rng = np.random.default_rng(seed_of("rerank", run))
    right = near.join(valid.select(*PAIR, right=pl.lit(1.0)), on=PAIR, how="left", maintain_order="left")["right"]
    scores = 1.2 * right.fill_null(0) + rng.normal(size=len(near)) + 3 * near["retrieval_score"]
    scored = near.select(*PAIR, rerank_score=scores.cast(pl.Float32)).unique(PAIR, maintain_order=True)
    tables["reranked"] = {
        pool: rerank_first(table, scored, settings.depth) for pool, table in tables["retrieved"].items()
    }
    ranks = rank_table(tables, valid, seen_ids(queries))
    ranked = rerank_first(models["retrieved"], scored, settings.depth).drop("rerank_score")
    CANDIDATES.write(models["retrieved"], run / "evaluate")
    RANKED.write(ranked.join(scored, on=PAIR, how="left"), run / "evaluate")
    RANKS.write(ranks, run / "evaluate")
    SIBLINGS.write(compare_siblings(tables, valid, {}), run / "evaluate")
    _write(run / "evaluate/metrics.json", measure(ranks, settings))


def _made_up(valid, misconceptions, bm25: pl.DataFrame, queries: pl.DataFrame, known: float, name: str) -> pl.DataFrame:
    """BM25 with noise; the right answer gains `known` and, where it was seen in training, half as much again."""
    rng, seen = np.random.default_rng(seed_of(name)), sorted(seen_ids(queries))
    bonus = pl.when(pl.col("misconception_id").is_in(seen)).then(1.5 * known).otherwise(known)
    right = valid.select(*PAIR, bonus=bonus)
    table = bm25.join(right, on=PAIR, how="left", maintain_order="left").with_columns(pl.col("bonus").fill_null(0.0))
    noise = pl.Series(rng.normal(size=len(table)))
    score = ((pl.col("retrieval_score") / 8 + pl.col("bonus") + 0.7 * noise) / 6).cast(pl.Float32)
    table = table.with_columns(score.alias("retrieval_score"))
    rank = pl.col("retrieval_score").rank("ordinal", descending=True).over("query_id").cast(pl.Int64)
    return table.with_columns(rank.alias("rank")).sort("query_id", "rank").select(*CANDIDATES.schema)


def _history(run: Path, model: str, epochs: int, held_out: bool) -> list[dict]:
    """Figures of each epoch: the loss falls, MAP@25 rises towards that of the evaluation and sags at the end."""
    history = []
    for epoch in range(epochs + 1):
        figures = {"epoch": epoch} | ({"loss": 0.4 + 2.4 * 0.5**epoch} if epoch else {})
        if held_out:
            ranks = pl.read_parquet(run / "evaluate/ranks.parquet")
            ranking = "retrieved" if model == "embedder" else "reranked"
            part = ranks.filter(pl.col("pool") == "catalogue", pl.col("ranking") == ranking)
            worse = part.with_columns((pl.col("rank") * (1 + 3 * 0.3**epoch)).round().cast(pl.Int64).alias("rank"))
            seen = set(part.filter("seen")["misconception_id"])
            figures |= {"eval_loss": 0.9 + 1.9 * 0.55**epoch} | summarise(worse, seen, resamples=50)
        history.append(figures)
    return history


def _log(out: Path, epochs: int) -> None:
    """30 updates an epoch, of 12,000 tokens in 1.5 seconds each, on 8 GPUs that held 70 GiB."""
    log = TrainingLog(log_of(out), now=lambda: datetime(2026, 11, 26, 21, 15, tzinfo=UTC))
    log.begin(TRAINED, "8 x NVIDIA H100 80GB HBM3", 8, (1, 0))
    for epoch in range(1, epochs + 1):
        for update in range(1, 31):
            loss = 0.4 + 2.4 * 0.5 ** (epoch - 1 + update / 30)
            figures = {"loss": loss, "tokens": 12_000, "seconds": 1.5, "peak_bytes": 70 << 30}
            log.add(epoch=epoch, update=update, updates=30, **figures)


def _digest(path: Path) -> str:
    return digest(path) if (path / "manifest.json").is_file() else "0" * 64


def _write(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
