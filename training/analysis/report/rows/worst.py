"""Picks the rows that the page shows: those that went worst, those that the reranker spoilt, and all as data."""

import polars as pl

from shared.prompts.query import FIELDS
from shared.task.current import TASK
from shared.task.folds import seen_ids
from training.analysis.report.measure import with_probability, worst_queries
from training.analysis.report.read import Finished
from training.analysis.report.rows.mistakes import both_orders, reranker_mistakes
from training.analysis.report.texts import written_about

WORST_ROWS, MISTAKES, SHOWN_CANDIDATES = 20, 20, 5
APART = ("subject", "construct", "question", "correct", "wrong")  # fields that the page sets in places of their own
TEXTS = [(label, column) for label, column in FIELDS if column not in APART]


def worst_rows(found: Finished) -> list[tuple[str, str, list[dict]]]:
    """(title, caption, rows) of each list of rows that the page opens with.

    A row is one of QUERIES with its answer, ranks "before" and "after" reranking, and candidates. "further" has the
    fields of the query's text that the page does not set apart, and what a language model wrote about it, each with
    its label.
    """
    if not found.evaluated:
        return []
    data, depth = found.evaluated, found.settings.evaluate.depth
    rows = with_probability(data.ranked, data.queries, depth)
    worst = _describe(found, rows, worst_queries(data.ranks, rows, WORST_ROWS))
    mistakes = _describe(found, rows, reranker_mistakes(data.ranks, depth, MISTAKES))
    return [
        (
            "Furthest down",
            f"The {len(worst)} rows whose right {TASK.entry} stands lowest after reranking, labelled pool, those most "
            "sure of a wrong one first.",
            worst,
        ),
        (
            "The reranker's own mistakes",
            f"The {len(mistakes)} rows that the reranker made worse than retrieval had left them, labelled pool, the "
            "largest loss first.",
            mistakes,
        ),
    ]


def all_rows(found: Finished) -> dict:
    """Every validation row, for the page's filters: each text stands once, and rows name it by its id or place.

    A row is [query_id, question_id, wrong answer, right id, whether that was seen, rank as retrieved, as reranked,
    [[candidate, probability], ...]]. Of a task that a file defines every query is its own question, and numbers of
    entries are texts: those that are made of words are too large for the page's script.
    """
    if not found.evaluated:
        return {"rows": [], "questions": {}, "misconceptions": {}, "entry": TASK.entry}
    data = found.evaluated
    own = "text" in data.queries.columns
    number: type = str if own else int
    near = with_probability(data.ranked, data.queries, found.settings.evaluate.depth)
    near = near.filter(pl.col("rank") <= SHOWN_CANDIDATES).sort("query_id", "rank")
    shown = {
        query_id: [[number(id_), round(share, 2)] for id_, share in zip(ids, shares, strict=True)]
        for query_id, ids, shares in near.group_by("query_id", maintain_order=True)
        .agg("misconception_id", "probability")
        .iter_rows()
    }
    queries = {row["query_id"]: row for row in data.queries.iter_rows(named=True)}
    rows, questions = [], {}
    for query_id, question_id, id_, seen, before, after in (
        both_orders(data.ranks)
        .select("query_id", "question_id", "misconception_id", "seen", "before", "after")
        .iter_rows()
    ):
        query, question = _texts(queries[query_id]), query_id if own else question_id
        questions[question] = [query[column] for column in APART[:-1]]
        rows.append([query_id, question, query["wrong"], number(id_), seen, before, after, shown.get(query_id, [])])
    named = {int(row[3]) for row in rows} | {int(id_) for row in rows for id_, _ in row[7]}
    texts = data.misconceptions.filter(pl.col("misconception_id").is_in(sorted(named)))
    return {
        "rows": rows,
        "questions": questions,
        "misconceptions": dict(texts.select("misconception_id", "text").iter_rows()),
        "entry": TASK.entry,
    }


def _describe(found: Finished, rows: pl.DataFrame, picked: list[tuple[str, int | None, int | None]]) -> list[dict]:
    data = found.evaluated
    texts = dict(data.misconceptions.select("misconception_id", "text").iter_rows())
    seen, queries = seen_ids(data.queries), {row["query_id"]: row for row in data.queries.iter_rows(named=True)}
    first = rows.filter(rows["rank"] <= SHOWN_CANDIDATES).partition_by("query_id", as_dict=True)
    described = []
    for query_id, before, after in picked:
        answer = queries[query_id]["misconception_id"]
        candidates = first[(query_id,)].iter_rows(named=True) if (query_id,) in first else ()
        shown = [
            (f"{row['probability']:.2f}", texts[row["misconception_id"]], row["misconception_id"] in seen, row["right"])
            for row in candidates
        ]
        further = [(label, queries[query_id][column]) for label, column in TEXTS if column in queries[query_id]]
        further += written_about(found, query_id)
        facts = {"answer": texts[answer], "seen": answer in seen, "candidates": shown, "further": further}
        described.append({**_texts(queries[query_id]), **facts, "before": _place(before), "after": _place(after)})
    return described


def _texts(row: dict) -> dict:
    """The row with the fields that the page sets apart; of a task that a file defines, they show its one text."""
    if "text" not in row:
        return row
    heading, *_ = row["text"].splitlines()
    return {**row, "subject": row["context"], "construct": heading, "question": row["text"], "correct": "", "wrong": ""}


def _place(rank: int | None) -> str:
    return "not among the candidates" if rank is None else f"rank {rank}"
