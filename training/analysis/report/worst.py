"""Picks the rows that went worst, as the page shows them."""

from shared.prompts.query import FIELDS
from shared.task.folds import seen_ids
from training.analysis.report.measure import with_probability, worst_queries
from training.analysis.report.read import Finished
from training.analysis.report.texts import written_about

WORST_ROWS, SHOWN_CANDIDATES = 30, 5
APART = ("subject", "construct", "question", "correct", "wrong")  # fields that the page sets in places of their own


def worst_rows(found: Finished) -> list[dict]:
    """The worst rows: each a row of QUERIES, with its answer, ranks "before" and "after" reranking, and candidates.

    "further" has the fields of the query's text that the page does not set apart, and what a language model wrote about
    it, each with its label.
    """
    if not found.evaluated:
        return []
    data = found.evaluated
    rows = with_probability(data.ranked, data.queries, found.settings.evaluate.depth)
    texts = dict(data.misconceptions.select("misconception_id", "text").iter_rows())
    seen, queries = seen_ids(data.queries), {row["query_id"]: row for row in data.queries.iter_rows(named=True)}
    first = rows.filter(rows["rank"] <= SHOWN_CANDIDATES).partition_by("query_id", as_dict=True)
    worst = []
    for query_id, before, after in worst_queries(data.ranks, rows, WORST_ROWS):
        answer = queries[query_id]["misconception_id"]
        candidates = first[(query_id,)].iter_rows(named=True) if (query_id,) in first else ()
        shown = [
            (f"{row['probability']:.2f}", texts[row["misconception_id"]], row["misconception_id"] in seen, row["right"])
            for row in candidates
        ]
        further = [(label, queries[query_id][column]) for label, column in FIELDS if column not in APART]
        further += written_about(found, query_id)
        facts = {"answer": texts[answer], "seen": answer in seen, "candidates": shown, "further": further}
        worst.append({**queries[query_id], **facts, "before": _place(before), "after": _place(after)})
    return worst


def _place(rank: int | None) -> str:
    return "not among the candidates" if rank is None else f"rank {rank}"
