"""Says what the report's charts have in common: names, colours, axes, and how rows become a specification.

Colours are CSS variables, so that they follow the page into the dark.
"""

from collections.abc import Iterable, Sequence

import altair as alt

INK, MUTED, LINE = "var(--ink)", "var(--muted)", "var(--line)"
COLOURS = {
    "weighted": INK,
    "seen": "var(--teal)",
    "unseen": "var(--purple)",
    "reranked": "var(--orange)",
    "retrieved": "var(--blue)",
    "miner": "var(--gold)",
    "training": MUTED,
    "validation": INK,
}
NAMES = {
    "popularity": "Popularity",
    "bm25": "BM25",
    "untrained": "Untrained",
    "miner": "Miner",
    "retrieved": "Retrieved",
    "reranked": "Reranked",
}
DASHES = {"popularity": [1, 3], "bm25": [2, 2], "untrained": [5, 3]}  # Of the grey lines, in pixels.
PARTS = ("weighted", "seen", "unseen")
NAMES_AXIS = {"domain": False, "ticks": False, "labelPadding": 6}
PERCENT_AXIS = {"format": ".0%", "tickCount": 5}
FONT = "system-ui, sans-serif"


def rows_by_name(rows: Iterable[dict]) -> alt.Data:
    """The rows, their rankings by the names that a reader sees."""
    return plain_rows({**row, "ranking": NAMES[row["ranking"]]} for row in rows)


def plain_rows(rows: Iterable[dict]) -> alt.Data:
    """Whole numbers and what is rounded to nine digits: the rest of a float would be half of the page."""
    kept = [{key: round(value, 9) if isinstance(value, float) else value for key, value in row.items()} for row in rows]
    assert all(abs(value) < float("inf") for row in kept for value in row.values() if isinstance(value, float))
    return alt.Data(values=kept)


def fixed_colour(field: str, domain: Sequence[str], *, legend: str = "") -> alt.Color:
    """`domain` in its fixed colours, what has none in grey; `legend` is the shape of its symbols."""
    names = [NAMES.get(name, name) for name in domain]
    scale = alt.Scale(domain=names, range=[COLOURS.get(name, MUTED) for name in domain])
    if not legend:
        return alt.Color(f"{field}:N", scale=scale, legend=None)
    width = {"symbolSize": 400, "symbolStrokeWidth": 2} if legend == "stroke" else {"symbolStrokeWidth": 0}
    shown = alt.Legend(orient="top", title=None, columns=3, symbolType=legend, offset=4, **width)
    return alt.Color(f"{field}:N", scale=scale, legend=shown)


def tooltip(*fields: str) -> list[alt.Tooltip]:
    """What is shown of these fields where a finger or a mouse rests."""
    words = {"ranking", "part", "line", "subject", "stage", "time", "name", "ranks"}
    whole = {"epoch", "pairs", "k"}
    kinds = {field: "N" if field in words else "Q" for field in fields}
    return [
        alt.Tooltip(f"{field}:{kind}", **({} if kind == "N" else {"format": ",d" if field in whole else ".3f"}))
        for field, kind in kinds.items()
    ]


def finish(chart: alt.Chart | alt.LayerChart, height: int) -> dict:
    """The specification of `chart`, as wide as its place on the page."""
    chart = chart.properties(
        width="container",
        height=height,
        padding={"left": 2, "top": 16, "right": 8, "bottom": 2},
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    text = {"labelColor": MUTED, "titleColor": MUTED, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 400}
    chart = chart.configure(font=FONT, background="transparent")
    chart = chart.configure_axis(**text, gridColor=LINE, domainColor=LINE, tickColor=LINE, labelLimit=150)
    chart = chart.configure_legend(labelColor=INK, labelFontSize=12).configure_view(stroke=None)
    return chart.configure_text(fontSize=12).to_dict()
