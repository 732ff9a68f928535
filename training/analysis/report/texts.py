"""Says in the report what a language model wrote, what it cost, and how well its rows went by length and flag."""

import polars as pl

from shared.prompts.query import RATIONALES
from shared.task.current import TASK
from training.analysis.report.background import duration
from training.analysis.report.measure import map_of, of_ranking
from training.analysis.report.panels import Panel, why_not
from training.analysis.report.read import Finished

BINS = ((1, 25), (26, 50), (51, 100), (101, 200), (201, None))  # words of a text; both ends belong to a bin
LABELS = {"short": "Rationale", "cot": "Chain of thought", "description": "Description"}
NOBODY_WROTE = "No language model wrote for this run: explain.writer and describe.writer are off, or not run yet."
LEAST_PAIRS = 5  # of fewer there is nothing to say


def texts_panels(found: Finished) -> list[Panel]:
    """What was written, and the ranks of the rows by what was written about them."""
    return [written_panel(found), quality_panel(found)]


def written_panel(found: Finished) -> Panel:
    """A row for each kind of text: how many, how long, what the cleaner found, and what it cost."""
    title = "What was written"
    if found.texts is None:
        return Panel(title, missing=NOBODY_WROTE)
    rows = [_written(kind, found.texts.filter(pl.col("kind") == kind)) for kind in found.texts["kind"].unique().sort()]
    caption = (
        "Tokens are those that a model wrote, with what was cut afterwards; a file that was replayed says nothing of "
        "them, nor of the time. Seconds are those of a text while others were written beside it, summed up."
    )
    headers = ("kind", "texts", "without one", "words", "at the limit", "what was cut", "tokens", "time", "by")
    return Panel(title, caption, headers=headers, rows=rows, open=True)


def quality_panel(found: Finished) -> Panel:
    """MAP@25 of the pairs by length and flags of each rationale, before and after reranking."""
    title = "By what was written about the row"
    if found.texts is None or not set(RATIONALES["both"]) & set(found.texts["kind"]):
        return Panel(title, missing=NOBODY_WROTE)
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    rows = []
    for kind in RATIONALES["both"]:
        texts = found.texts.filter(pl.col("kind") == kind)
        for what, part in _parts(texts) if len(texts) else ():
            if cells := _quality(found, part["key"].to_list()):
                rows.append([LABELS[kind], what, *cells])
    caption = (
        f"{TASK.metric.title} of the labelled pool, all pairs, with 95 % intervals: what a text's length and flags go "
        "along with, not what they cause. Rows of fewer than five pairs are left out. Whether texts help is a matter "
        "of two runs: just compare."
    )
    headers = ("kind", "texts", "pairs", "retrieved", "reranked")
    return Panel(title, caption, headers=headers, rows=rows, open=True)


def written_about(found: Finished, query_id: str) -> list[tuple[str, str]]:
    """(label, text) of the rationales of a row; none where nobody wrote."""
    if found.texts is None:
        return []
    own = found.texts.filter(pl.col("key") == query_id, pl.col("kind").is_in(RATIONALES["both"]))
    return [
        (LABELS[kind], f"{clean or '(empty)'}{f' [{flags}]' if flags else ''}")
        for kind, clean, flags in own.select("kind", "clean", "flags").iter_rows()
    ]


def _written(kind: str, texts: pl.DataFrame) -> list[str]:
    words = _words().filter(pl.col("clean") != "")
    figures = texts.select(
        empty=(pl.col("clean") == "").sum(),
        middle=words.median(),
        long=words.quantile(0.95),
        limit=(pl.col("finish_reason") == "length").mean(),
        tokens=pl.col("tokens").sum(),
        seconds=pl.col("seconds").cast(pl.Float64).sum(),
    ).row(0, named=True)
    told = texts["flags"].str.split(" ").explode(empty_as_null=True).drop_nulls()
    flags = told.filter(told != "").value_counts(sort=True).sort(["count", "flags"], descending=[True, False])
    cut = ", ".join(f"{flag} {count / len(texts):.1%}" for flag, count in flags.iter_rows())
    return [
        LABELS[kind],
        f"{len(texts):,}",
        f"{figures['empty']:,}",
        "–" if figures["middle"] is None else f"{figures['middle']:.0f}, 95 % have at most {figures['long']:.0f}",
        f"{figures['limit']:.1%}",
        cut or "nothing",
        f"{figures['tokens']:,}" if figures["tokens"] else "–",
        duration(figures["seconds"]) if figures["seconds"] else "–",
        ", ".join(texts["model"].unique().sort()),
    ]


def _parts(texts: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """(what they have in common, these texts): none, by length, without and with each flag."""
    there = texts.filter(pl.col("clean") != "")
    parts = [("none", texts.filter(pl.col("clean") == ""))]
    for low, high in BINS:
        name = f"{low}–{high} words" if high else f"{low} words or more"
        parts.append((name, there.filter(_words() >= low, _words() <= (high or 10**9))))
    parts.append(("nothing cut", there.filter(pl.col("flags") == "")))
    flags = there["flags"].str.split(" ").explode(empty_as_null=True).drop_nulls().unique().sort().to_list()
    return [
        *parts,
        *((flag, there.filter(pl.col("flags").str.split(" ").list.contains(flag))) for flag in flags if flag),
    ]


def _quality(found: Finished, keys: list[str]) -> list[str]:
    """Pairs and both figures of these rows; [] where there are too few."""
    cells = []
    for name in ("retrieved", "reranked"):
        ranks = of_ranking(found.evaluated.ranks, name).filter(pl.col("query_id").is_in(keys))
        if len(ranks) < LEAST_PAIRS:
            return []
        figures = map_of(ranks, found.settings.evaluate.bootstrap)
        cells.append(f"{figures['map']:.3f} ({figures['low']:.3f}\u2060–\u2060{figures['high']:.3f})")
    return [f"{len(ranks):,}", *cells]


def _words() -> pl.Expr:
    return pl.col("clean").str.split(" ").list.len()
