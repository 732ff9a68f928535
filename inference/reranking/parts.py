"""Makes the parts of prompts from the texts of queries and candidates, each text once, whatever reads them then."""

from typing import Any

import polars as pl

from shared.prompts.kinds import reading_of
from shared.prompts.pointwise import RerankerPrompt
from shared.prompts.query import misconception_of, query_of
from shared.prompts.words import Words


def parts_of(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, candidates: pl.DataFrame, words: Words, prompt: RerankerPrompt
) -> tuple[dict[str, list[int]], dict[int, Any]]:
    """({query_id: ids in front of its candidates}, {misconception_id: its part}) of what `candidates` names."""
    reading = reading_of(prompt)
    asked = {
        row["query_id"]: reading.query(words, prompt, query_of(row, prompt.rationale, prompt.layout))
        for row in queries.join(candidates, on="query_id", how="semi").iter_rows(named=True)
    }
    parts = {
        row["misconception_id"]: reading.candidate(words, prompt, misconception_of(row))
        for row in misconceptions.join(candidates, on="misconception_id", how="semi").iter_rows(named=True)
    }
    return asked, parts
