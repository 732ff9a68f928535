"""Declares the table of questions that a language model wrote for misconceptions, with what was found about each."""

import polars as pl

from shared.task.tables import Table

SYNTHETIC = Table(
    "synthetic",
    {
        "synthetic_id": pl.String,  # "MisconceptionId/number"
        "misconception_id": pl.Int64,
        "subject": pl.String,
        "construct": pl.String,
        "question": pl.String,
        "correct": pl.String,
        "wrong": pl.String,
        "others": pl.List(pl.String),
        "letters": pl.String,  # of correct, wrong and the others, drawn by us
        "writer": pl.String,  # a model, or the file that was replayed
        "shots": pl.String,  # query ids of the solved examples in the prompt, with a space between two
        "flags": pl.String,  # the rules that it breaks, with a space between two
        "ease_rank": pl.Int64,  # at which BM25 finds its misconception among all names
        "ease_words": pl.Float64,  # share of the name's words that stand in the question
        "keep": pl.Boolean,
        "reason": pl.String,  # the first thing that speaks against it; "" where it is kept
    },
    key=("synthetic_id",),
)
