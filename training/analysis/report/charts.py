"""Draws the report's charts as Vega-Lite."""

from collections.abc import Sequence

import altair as alt
import numpy as np

from shared.counted import count
from shared.task.current import TASK
from training.analysis.report.chart_style import (
    COLOURS,
    DASHES,
    INK,
    MUTED,
    NAMES,
    NAMES_AXIS,
    PARTS,
    PERCENT_AXIS,
    finish,
    fixed_colour,
    plain_rows,
    rows_by_name,
    tooltip,
)

LABEL_PIXELS = 14  # A line of text needs as many.
UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))


def rankings_chart(rows: Sequence[dict]) -> dict:
    """Interval bars of `rows`, {"ranking", "part", "map", "low", "high"}: a row of the chart is a ranking."""
    order = [NAMES[name] for name in dict.fromkeys(row["ranking"] for row in rows)]
    data = rows_by_name(rows)
    y = alt.Y("ranking:N", sort=order, title=None, axis=alt.Axis(**NAMES_AXIS))
    offset = alt.YOffset("part:N", sort=list(PARTS), scale=alt.Scale(paddingOuter=0.6))
    colour = fixed_colour("part", PARTS, legend="circle")
    tip = tooltip("ranking", "part", "map", "low", "high")
    base = alt.Chart(data).encode(y=y, yOffset=offset, color=colour, tooltip=tip)
    x = alt.X("map:Q", title=TASK.metric.title, scale=alt.Scale(domainMin=0), axis=alt.Axis(tickCount=6))
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q")
    label = base.transform_filter("datum.part == 'weighted'").mark_text(align="left", dx=6, fontWeight=600)
    label = label.encode(x=alt.X("high:Q"), text=alt.Text("map:Q", format=".3f"))
    return finish(bars + base.mark_point(filled=True, size=55, opacity=1).encode(x=x) + label, 58 * len(order))


def epochs_chart(rows: Sequence[dict], title: str, merged: int | None) -> dict:
    """Lines of `rows`, {"line", "epoch", "value"} and, where there is an interval, "low" and "high"."""
    height, last = 220, max(1, *(row["epoch"] for row in rows))
    lines = [name for name in COLOURS if any(row["line"] == name for row in rows)]
    values = [row[key] for row in rows for key in ("value", "low", "high") if key in row]
    slack = (max(values) - min(values)) * 0.08 or 0.1
    domain = [0 if title == TASK.metric.title else min(values) - slack, max(values) + slack]
    apart = 0.02 * last * any("low" in row for row in rows)  # no interval hides another
    beside = {name: apart * (place - (len(lines) - 1) / 2) for place, name in enumerate(lines)}
    steps = alt.Axis(values=list(range(last + 1)), format="d", grid=False)
    within = alt.Scale(domain=[min(beside.values()), last + max(beside.values())], nice=False)
    y = alt.Y("value:Q", title=title, scale=alt.Scale(domain=domain, nice=False), axis=alt.Axis(tickCount=5))
    placed = [{**row, "place": row["epoch"] + beside[row["line"]]} for row in rows]
    x = alt.X("place:Q", title="epoch", scale=within, axis=steps)
    base = alt.Chart(plain_rows(placed)).encode(
        x=x, color=fixed_colour("line", lines), tooltip=tooltip("line", "epoch", "value")
    )
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.5, opacity=0.6)
    layers = [base.mark_line(strokeWidth=2).encode(y=y), bars.encode(y=alt.Y("low:Q"), y2="high:Q")]
    layers.append(base.mark_point(filled=True, size=45, opacity=1).encode(y=y))
    if merged is not None:
        layers.insert(0, _mark(merged))
    ends = [max((row for row in placed if row["line"] == line), key=lambda row: row["epoch"]) for line in lines]
    names = [(row["line"], row["line"], last + max(beside.values()), row["value"]) for row in ends]
    return finish(alt.layer(*layers, _end_labels(names, domain, height)), height)


def updates_chart(rows: Sequence[dict]) -> dict:
    """A line of `rows`, {"at", "loss"}: `at` counts epochs, 1.5 is half of the second."""
    last = max(1, round(rows[-1]["at"] + 0.499))
    steps = alt.Axis(values=list(range(last + 1)), format="d", grid=False)
    x = alt.X("at:Q", title="epoch", scale=alt.Scale(domain=[0, last], nice=False), axis=steps)
    y = alt.Y("loss:Q", title="loss", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    base = alt.Chart(plain_rows(rows)).encode(x=x, y=y, tooltip=tooltip("at", "loss"))
    line = base.mark_line(strokeWidth=1.5, color=COLOURS["training"])
    return finish(line + base.mark_point(filled=True, size=30, opacity=1, color=COLOURS["training"]), 220)


def subjects_chart(rows: Sequence[dict]) -> dict:
    """Interval bars of `by_subject`, each under its name: a name has the width of the page to itself.

    Rows are told apart by number: Vega-Lite sorts names by an expression that has them in it, and not every text can
    stand there.
    """
    data = plain_rows({**row, "place": place, "count": count(row["pairs"], "pair")} for place, row in enumerate(rows))
    tip = tooltip("subject", "pairs", "map", "low", "high")
    base = alt.Chart(data).encode(y=alt.Y("place:O", axis=None), tooltip=tip)
    x = alt.X(
        "map:Q", title=TASK.metric.title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5, orient="top")
    )
    name = base.mark_text(align="left", dy=-9, limit=270, color=INK).encode(x=alt.value(0), text="subject:N")
    pairs = base.mark_text(align="right", dy=-9, color=MUTED).encode(x=alt.value("width"), text="count:N")
    bars = base.mark_rule(strokeWidth=2, yOffset=6, color=COLOURS["reranked"]).encode(x=alt.X("low:Q"), x2="high:Q")
    dots = base.mark_point(filled=True, size=55, opacity=1, yOffset=6, color=COLOURS["reranked"]).encode(x=x)
    return finish(name + pairs + bars + dots, 40 * len(rows))


def ranks_chart(rows: Sequence[dict]) -> dict:
    """Bars of `rows`, {"ranking", "ranks", "pairs"}, lying, with the number behind each: so it fits on a telephone."""
    order, rankings = list(dict.fromkeys(row["ranks"] for row in rows)), ["retrieved", "reranked"]
    most = max(row["pairs"] for row in rows)
    base = alt.Chart(rows_by_name(rows)).encode(
        y=alt.Y("ranks:N", sort=order, title="rank of the right answer", axis=alt.Axis(**NAMES_AXIS)),
        yOffset=alt.YOffset("ranking:N", sort=[NAMES[name] for name in rankings]),
        x=alt.X("pairs:Q", title="pairs", scale=alt.Scale(domain=[0, 1.12 * most]), axis=alt.Axis(tickCount=5)),
        tooltip=tooltip("ranking", "ranks", "pairs"),
    )
    text = base.mark_text(align="left", dx=4, fontSize=10, color=MUTED).encode(text=alt.Text("pairs:Q", format=","))
    return finish(
        base.mark_bar().encode(color=fixed_colour("ranking", rankings, legend="circle")) + text, 34 * len(order)
    )


def recall_chart(rows: Sequence[dict]) -> dict:
    """Lines of `rows`, {"ranking", "k", "recall"}, over a logarithmic k."""
    rankings, last = list(dict.fromkeys(row["ranking"] for row in rows)), max(row["k"] for row in rows)
    dashes = alt.Scale(domain=[NAMES[name] for name in rankings], range=[DASHES.get(name, [1, 0]) for name in rankings])
    log, ticks = alt.Scale(type="log", domain=[1, last], nice=False), [1, 2, 5, 10, 25, 50, 100, 200]
    base = alt.Chart(rows_by_name(rows)).encode(
        x=alt.X("k:Q", title="k (logarithmic)", scale=log, axis=alt.Axis(values=ticks, grid=False)),
        y=alt.Y("recall:Q", title="recall@k, weighted", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(**PERCENT_AXIS)),
        color=fixed_colour("ranking", rankings, legend="stroke"),
        strokeDash=alt.StrokeDash("ranking:N", scale=dashes),
        tooltip=tooltip("ranking", "k", "recall"),
    )
    points = base.mark_point(filled=True, size=160, opacity=0)  # what a finger finds
    return finish(base.mark_line(strokeWidth=2) + points, 300)


def reliability_chart(rows: Sequence[dict]) -> dict:
    """Points of `reliability` with their intervals, beside the diagonal on which a probability keeps its word."""
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(**PERCENT_AXIS)
    x = alt.X("probability:Q", title="probability given by the reranker", scale=scale, axis=axis)
    y = alt.Y("right:Q", title="share that was right", scale=scale, axis=axis)
    data = plain_rows({**row, "count": _thousands(row["pairs"])} for row in rows)
    base = alt.Chart(data).encode(x=x, tooltip=tooltip("low", "high", "pairs", "probability", "right", "from", "to"))
    ideal = alt.Chart(plain_rows([{"probability": 0, "right": 0}, {"probability": 1, "right": 1}]))
    ideal = ideal.mark_line(strokeDash=[4, 4], color=MUTED, strokeWidth=1).encode(x=x, y=y)
    bars = base.mark_rule(strokeWidth=2, color=COLOURS["reranked"]).encode(y=alt.Y("from:Q"), y2="to:Q")
    dots = base.mark_point(filled=True, size=55, opacity=1, color=COLOURS["reranked"]).encode(y=y)
    counts = base.mark_text(color=MUTED, dy=-8, fontSize=10).encode(y=alt.value(0), text="count:N")
    return finish(ideal + bars + dots + counts, 300)


def seconds_chart(rows: Sequence[dict]) -> dict:
    """Bars of `rows`, {"stage", "seconds", "time"}, with the time behind each."""
    most = max(row["seconds"] for row in rows) or 1
    unit, size = next((name, size) for name, size in UNITS if most >= size or size == 1)
    wide = alt.Scale(domain=[0, 1.5 * most / size])  # the longest bar's time stands behind it, on a telephone too
    base = alt.Chart(plain_rows({**row, "value": row["seconds"] / size} for row in rows)).encode(
        y=alt.Y("stage:N", sort=[row["stage"] for row in rows], title=None, axis=alt.Axis(**NAMES_AXIS)),
        x=alt.X("value:Q", title=unit, scale=wide, axis=alt.Axis(tickCount=4)),
        tooltip=tooltip("stage", "time"),
    )
    text = base.mark_text(align="left", dx=5, color=INK).encode(text="time:N")
    return finish(base.mark_bar(color=COLOURS["retrieved"], height={"band": 0.62}) + text, 28 * len(rows))


def scores_chart(rows: Sequence[dict]) -> dict:
    """Points of `rows`, {"name", "cv", "low", "high", "public", "here"}, with their names; this run's stands out."""
    scale, axis = alt.Scale(zero=False, padding=24), alt.Axis(tickCount=5)
    x = alt.X("cv:Q", title=f"weighted {TASK.metric.title} on held-out data", scale=scale, axis=axis)
    y = alt.Y("public:Q", title="public leaderboard", scale=scale, axis=axis)
    colour = alt.condition("datum.here", alt.value(COLOURS["reranked"]), alt.value(MUTED))
    base = alt.Chart(plain_rows(rows)).encode(color=colour, y=y, tooltip=tooltip("name", "cv", "low", "high", "public"))
    bars = base.mark_rule(strokeWidth=1.5).encode(x=alt.X("low:Q"), x2="high:Q")
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=x)
    return finish(bars + dots + base.mark_text(dy=-12).encode(x=x, text="name:N"), 280)


def _thousands(count: int) -> str:
    return f"{count}" if count < 1000 else f"{count / 1000:.1f}k" if count < 10_000 else f"{count / 1000:.0f}k"


def _mark(epoch: int) -> alt.LayerChart:
    """A line at the epoch whose adapter was merged."""
    base = alt.Chart(plain_rows([{"epoch": epoch, "label": "merged"}])).encode(x="epoch:Q")
    rule = base.mark_rule(strokeDash=[3, 3], color=MUTED)
    return rule + base.mark_text(align="right", dx=-4, dy=7, color=MUTED, fontSize=11).encode(
        y=alt.value(0), text="label:N"
    )


def _end_labels(ends: Sequence[tuple], domain: Sequence[float], height: int) -> alt.LayerChart:
    """Names, (colour, text, x, y), behind the last points of lines, moved apart where they would lie on each other."""
    ends = sorted(ends, key=lambda end: -end[3])
    places = [height * (domain[1] - y) / (domain[1] - domain[0]) for _, _, _, y in ends]
    layers = [
        alt.Chart(plain_rows([{"x": x, "y": y, "name": text}]))
        .mark_text(align="left", dx=8, dy=round(moved - place, 1), color=COLOURS.get(name, MUTED))
        .encode(x="x:Q", y="y:Q", text="name:N")
        for (name, text, x, y), place, moved in zip(ends, places, move_apart(places, LABEL_PIXELS), strict=True)
    ]
    return alt.layer(*layers)


def move_apart(places: Sequence[float], gap: float) -> list[float]:
    """Pixels downwards, in order, at least `gap` apart and none above 0, as near to `places` as can be.

    Subtracting the gaps leaves places that must not fall: a regression with ever rising values.
    """
    from scipy.optimize import isotonic_regression  # its import takes a second, and all commands come past this file

    gaps = gap * np.arange(len(places))
    return (np.maximum(isotonic_regression(np.asarray(places) - gaps).x, 0.0) + gaps).tolist()
