"""Picks the rows that went worst, as the page shows them."""

from shared.prompts.query import FIELDS
from shared.task.folds import seen_ids
from training.analysis.report.measure import with_probability, worst_pairs
from training.analysis.report.read import Finished

WORST_ROWS, SHOWN_CANDIDATES = 30, 5
APART = ("subject", "construct", "question", "correct", "wrong")  # fields that the page sets in places of their own


def worst_rows(found: Finished) -> list[dict]:
    """The worst pairs: the query's id and texts, its answer, ranks "before" and "after" reranking, and candidates."""
    if not found.evaluated:
        return []
    data = found.evaluated
    rows = with_probability(data.ranked, data.queries, found.settings.evaluate.depth)
    texts = dict(data.misconceptions.select("misconception_id", "text").iter_rows())
    seen, queries = seen_ids(data.queries), {row["query_id"]: row for row in data.queries.iter_rows(named=True)}
    first = rows.filter(rows["rank"] <= SHOWN_CANDIDATES).partition_by("query_id", as_dict=True)
    worst = []
    for query_id, answer, before, after in worst_pairs(data.ranks, rows, WORST_ROWS):
        candidates = first[(query_id,)].iter_rows(named=True) if (query_id,) in first else ()
        shown = [
            (f"{row['probability']:.2f}", texts[row["misconception_id"]], row["misconception_id"] in seen, row["right"])
            for row in candidates
        ]
        facts = {"answer": texts[answer], "seen": answer in seen, "candidates": shown}
        facts |= {"before": _place(before), "after": _place(after)}
        worst.append({"query_id": query_id, **_texts(queries[query_id]), **facts})
    return worst


def _texts(row: dict) -> dict:
    """What the page shows of a query: "heading", "caption", "question", and "fields" with their labels."""
    if "text" in row:  # of a task that a file defines
        return {
            "heading": row["text"].splitlines()[0],
            "caption": row["context"],
            "question": row["text"],
            "fields": [],
        }
    own = [("right answer", row["correct"]), ("chosen answer", row["wrong"])]
    further = [(label.lower(), row[column]) for label, column in FIELDS if column not in APART]
    shown = {"heading": row["construct"], "caption": row["subject"], "question": row["question"]}
    return {**shown, "fields": own + further}


def _place(rank: int | None) -> str:
    return "not among the candidates" if rank is None else f"rank {rank}"
