"""Says what stands in each part of the report: a chart, its numbers, or the sentence why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.prompts.kinds import ROLES
from shared.task.current import TASK
from training.analysis.compare import paired_difference
from training.analysis.report import charts
from training.analysis.report.chart_style import NAMES, PARTS
from training.analysis.report.measure import (
    bin_ranks,
    by_subject,
    of_ranking,
    recall_by_depth,
    reliability,
    with_probability,
)
from training.analysis.report.read import Finished
from training.analysis.runs import describe_agreement
from training.analysis.untrained import name_miner

LEAST_PAIRS, MOST_SUBJECTS = 12, 24  # Of smaller subjects, and of more of them, one row tells.
JOINED = "\u2060–\u2060"  # No line is broken there.
NOTHING_HELD_OUT = "This split trains on everything: nothing is held out, so there is nothing to measure."
NOT_EVALUATED = "The run is not evaluated yet."


@dataclass(frozen=True)
class Panel:
    """A part of the page: `missing` is the sentence that stands for the chart and the table where there are none."""

    title: str
    caption: str = ""
    chart: dict | None = None
    headers: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    open: bool = False  # whether the table is to be seen at once
    missing: str = ""


def rankings_panel(found: Finished) -> Panel:
    """Every ranking beside the reranked one."""
    title = "Against the baselines"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    figures = found.evaluated.metrics["labelled"]
    points = [
        {
            "ranking": name,
            "part": part,
            "map": parts[part][TASK.metric.key],
            "low": parts[part]["low"],
            "high": parts[part]["high"],
        }
        for name, parts in figures.items()
        for part in PARTS
        if part in parts
    ]
    rows = []
    for name, parts in figures.items():
        recall = _main(parts)[TASK.metric.recall_key]
        cells = [_interval(parts.get(part)) for part in ("weighted", "seen", "unseen")]
        whole = _interval(_main(found.evaluated.metrics["catalogue"][name]))
        rows.append([NAMES[name], *cells, f"{recall:.3f}", whole, _difference(found, name)])
    headers = (
        "ranking",
        "weighted",
        "seen",
        "unseen",
        TASK.metric.recall_key,
        "weighted, whole catalogue",
        "reranked is better by",
    )
    weight = found.settings.evaluate.unseen_weight
    weighted = (
        "all pairs alike" if weight is None else f"{1 - weight:g} seen + {weight:g} unseen, as in the hidden test"
    )
    caption = (
        f"{TASK.metric.title} among the {TASK.entries} that {TASK.files.train} labels, with 95 % intervals from a "
        f"bootstrap over questions. Weighted is {weighted}. The numbers' "
        "last column resamples both rankings together, so that what questions have in common falls out of its interval."
        f" The miner is {name_miner(found.settings)}."
    )
    return Panel(title, caption, charts.rankings_chart(points), headers, rows)


def epochs_panels(found: Finished) -> list[Panel]:
    """Loss and MAP@25 of both models by epoch."""
    panels = []
    for model in ROLES:
        name, merged = model.capitalize(), found.merged.get(model)
        if history := found.histories.get(model):
            panels += [
                _loss_panel(f"{name}: loss", history, merged),
                _map_panel(found, f"{name}: {TASK.metric.title}", history, merged),
            ]
        else:
            panels.append(Panel(name, missing=f"The {model} is not trained yet."))
    return panels


def subjects_panel(found: Finished) -> Panel:
    title = "By subject"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    ranks = of_ranking(found.evaluated.ranks, "reranked")
    resamples = found.settings.evaluate.bootstrap
    rows = by_subject(ranks, found.evaluated.queries, least=LEAST_PAIRS, most=MOST_SUBJECTS, resamples=resamples)
    caption = (
        f"The reranked {TASK.metric.title} of all pairs, labelled pool, with 95 % intervals. Subjects of fewer than "
        f"{LEAST_PAIRS} pairs, and those behind the {MOST_SUBJECTS} largest, are one row."
    )
    cells = [[row["subject"], str(row["pairs"]), _values(row["map"], row["low"], row["high"])] for row in rows]
    return Panel(title, caption, charts.subjects_chart(rows), ("subject", "pairs", TASK.metric.title), cells)


def ranks_panel(found: Finished) -> Panel:
    title = "Where the right answer stands"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    bins = {name: bin_ranks(of_ranking(found.evaluated.ranks, name)) for name in ("retrieved", "reranked")}
    points = [{"ranking": name, **row} for name, rows in bins.items() for row in rows]
    cells = [
        [before["ranks"], str(before["pairs"]), str(after["pairs"])]
        for before, after in zip(bins["retrieved"], bins["reranked"], strict=True)
    ]
    depth = found.settings.evaluate.depth
    caption = f"Pairs of the labelled pool by the rank of their {TASK.entry}. Only the first {depth} are reranked."
    return Panel(title, caption, charts.ranks_chart(points), ("rank", "retrieved", "reranked"), cells)


def recall_panel(found: Finished) -> Panel:
    title = "Recall against k"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    weight = found.settings.evaluate.unseen_weight
    curves = {
        name: recall_by_depth(of_ranking(found.evaluated.ranks, name), weight)
        for name in found.evaluated.metrics["labelled"]
    }
    points = [{"ranking": name, **row} for name, rows in curves.items() for row in rows]
    ks = [row["k"] for row in next(iter(curves.values()))]
    cells = [[str(k), *(f"{rows[place]['recall']:.3f}" for rows in curves.values())] for place, k in enumerate(ks)]
    caption = "How often the right answer is among the first k, labelled pool: what a reranker of k reaches at best."
    return Panel(title, caption, charts.recall_chart(points), ("k", *(NAMES[name] for name in curves)), cells)


def reliability_panel(found: Finished) -> Panel:
    title = "Reliability of the scores"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    data = found.evaluated
    rows = reliability(with_probability(data.ranked, data.queries, found.settings.evaluate.depth))
    cells = [
        (
            f"{row['low']:.1f}–{row['high']:.1f}",
            f"{row['pairs']:,}",
            f"{row['probability']:.3f}",
            _values(row["right"], row["from"], row["to"]),
        )
        for row in rows
    ]
    caption = (
        "How often a candidate of the labelled pool was right, against the probability that the reranker gave it "
        "(softmax of its scores over a query's candidates). On the dashed line a probability keeps its word; above it "
        "the reranker is too modest, below too sure. The numbers on top count candidates; bars are Wilson's 95 % "
        "intervals."
    )
    headers = ("probability", "candidates", "their mean", "share that was right")
    return Panel(title, caption, charts.reliability_chart(rows), headers, cells)


def scores_panel(found: Finished) -> Panel:
    title = "CV against the leaderboard"
    if not found.scored:
        missing = "No run has a leaderboard score yet: just submit records it, or just lb iter=1 public=0.505."
        return Panel(title, missing=missing)
    here = found.run.parent.name
    points = [{**vars(pair), "here": pair.name.partition("/")[0] == here} for pair in found.scored]
    cells = [[pair.name, _values(pair.cv, pair.low, pair.high), f"{pair.public:.3f}"] for pair in found.scored]
    caption = f"{describe_agreement(found.scored)}. Where a run holds nothing out, its CV is that of split=cv."
    return Panel(title, caption, charts.scores_chart(points), ("run", f"weighted {TASK.metric.title}", "public"), cells)


def why_not(found: Finished) -> str:
    """Why there is nothing measured."""
    return NOTHING_HELD_OUT if found.run.name == "full" else NOT_EVALUATED


def _loss_panel(title: str, history: list[dict], merged: int | None) -> Panel:
    keys = {"training": "loss", "validation": "eval_loss"}
    points = [
        {"line": line, "epoch": figures["epoch"], "value": figures[key]}
        for figures in history
        for line, key in keys.items()
        if key in figures
    ]
    if not points:
        return Panel(title, missing="No epoch is finished yet.")
    rows = [[str(figures["epoch"]), *(_number(figures.get(key)) for key in keys.values())] for figures in history]
    return Panel(title, "", charts.epochs_chart(points, "loss", merged), ("epoch", *keys), rows)


def _map_panel(found: Finished, title: str, history: list[dict], merged: int | None) -> Panel:
    points = [
        {"line": part, "epoch": figures["epoch"], "value": figures[part][TASK.metric.key]}
        | {key: figures[part][key] for key in ("low", "high")}
        for figures in history
        for part in PARTS
        if part in figures
    ]
    if not points:
        return Panel(title, missing=why_not(found))
    rows = [[str(figures["epoch"]), *(_interval(figures.get(part)) for part in PARTS)] for figures in history]
    caption = "On the validation fold, whole catalogue."
    return Panel(title, caption, charts.epochs_chart(points, TASK.metric.title, merged), ("epoch", *PARTS), rows)


def _difference(found: Finished, name: str) -> str:
    """By how much the reranked order is better than ranking `name`, weighted, with its paired interval."""
    if name == "reranked":
        return ""
    a, b = (of_ranking(found.evaluated.ranks, ranking) for ranking in (name, "reranked"))
    settings = found.settings.evaluate
    if settings.unseen_weight is not None and (a["seen"].all() or not a["seen"].any()):
        return "–"
    how = {"unseen_weight": settings.unseen_weight, "resamples": settings.bootstrap}
    _, _, difference, low, high, _ = paired_difference([a], [b], **how)
    return f"{difference:+.3f} ({low:+.3f}\u00a0to\u00a0{high:+.3f})"


def _main(parts: dict) -> dict:
    return parts.get("weighted") or parts["all"]


def _interval(figures: dict | None) -> str:
    return _values(figures[TASK.metric.key], figures["low"], figures["high"]) if figures else "–"


def _values(value: float, low: float, high: float) -> str:
    return f"{value:.3f} ({low:.3f}{JOINED}{high:.3f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
