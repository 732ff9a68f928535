"""Says what stands in each part of the report: a chart, its numbers, or the sentence why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.folds import seen_ids
from shared.metrics import K
from training.compare import paired_difference
from training.report import charts
from training.report.measure import (
    bin_ranks,
    by_subject,
    of_ranking,
    recall_by_depth,
    reliability,
    with_probability,
    worst_queries,
)
from training.report.read import Finished
from training.version import short_version

LEAST, MOST = 12, 24  # pairs of a subject that has a row of its own; such rows
WORST, SHOWN = 30, 5  # rows, and candidates of each
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
        return Panel(title, missing=_why_not(found))
    figures = found.evaluated.metrics["labelled"]
    points = [
        {
            "ranking": name,
            "part": part,
            "map": parts[part]["map@25"],
            "low": parts[part]["low"],
            "high": parts[part]["high"],
        }
        for name, parts in figures.items()
        for part in charts.PARTS
        if part in parts
    ]
    rows = []
    for name, parts in figures.items():
        recall = _main(parts)[f"recall@{K}"]
        cells = [_interval(parts.get(part)) for part in ("weighted", "seen", "unseen")]
        whole = _interval(_main(found.evaluated.metrics["catalogue"][name]))
        rows.append([charts.NAMES[name], *cells, f"{recall:.3f}", whole, _difference(found, name)])
    headers = (
        "ranking",
        "weighted",
        "seen",
        "unseen",
        f"recall@{K}",
        "weighted, whole catalogue",
        "reranked is better by",
    )
    weight = found.settings.evaluate.unseen_weight
    caption = (
        "MAP@25 among the misconceptions that train.csv labels, with 95 % intervals from a bootstrap over questions. "
        f"Weighted is {1 - weight:g} seen + {weight:g} unseen, as in the hidden test. The numbers' last column "
        "resamples both rankings together, so that what questions have in common falls out of its interval."
    )
    return Panel(title, caption, charts.rankings_chart(points), headers, rows)


def epochs_panels(found: Finished) -> list[Panel]:
    """Loss and MAP@25 of both models by epoch."""
    panels = []
    for model in ("embedder", "reranker"):
        history, merged = found.histories.get(model), found.merged.get(model)
        if not history:
            panels.append(Panel(model.capitalize(), missing=f"The {model} is not trained yet."))
            continue
        rows = [
            [str(figures["epoch"]), _number(figures.get("loss")), _number(figures.get("eval_loss"))]
            + [_interval(figures.get(part)) for part in charts.PARTS]
            for figures in history
        ]
        headers = ("epoch", "loss, training", "loss, validation", *charts.PARTS)
        loss = [
            {"line": line, "epoch": figures["epoch"], "value": figures[key]}
            for figures in history
            for line, key in (("training", "loss"), ("validation", "eval_loss"))
            if key in figures
        ]
        reached = [
            {"line": part, "epoch": figures["epoch"], "value": figures[part]["map@25"]}
            | {key: figures[part][key] for key in ("low", "high")}
            for figures in history
            for part in charts.PARTS
            if part in figures
        ]
        name = model.capitalize()
        panels.append(Panel(f"{name}: loss", chart=charts.epochs_chart(loss, "loss", merged)))
        if reached:
            chart = charts.epochs_chart(reached, "MAP@25", merged)
            panels.append(Panel(f"{name}: MAP@25", chart=chart, headers=headers, rows=rows))
        else:
            panels.append(Panel(f"{name}: MAP@25", headers=headers, rows=rows, missing=_why_not(found)))
    return panels


def subjects_panel(found: Finished) -> Panel:
    title = "By subject"
    if not found.evaluated:
        return Panel(title, missing=_why_not(found))
    ranks = of_ranking(found.evaluated.ranks, "reranked")
    resamples = found.settings.evaluate.bootstrap
    rows = by_subject(ranks, found.evaluated.queries, least=LEAST, most=MOST, resamples=resamples)
    caption = (
        f"The reranked MAP@25 of all pairs, with 95 % intervals. Subjects of fewer than {LEAST} pairs, and those "
        f"behind the {MOST} largest, are one row."
    )
    cells = [[row["subject"], str(row["pairs"]), _values(row["map"], row["low"], row["high"])] for row in rows]
    return Panel(title, caption, charts.subjects_chart(rows), ("subject", "pairs", "MAP@25"), cells)


def ranks_panel(found: Finished) -> Panel:
    title = "Where the right answer stands"
    if not found.evaluated:
        return Panel(title, missing=_why_not(found))
    bins = {name: bin_ranks(of_ranking(found.evaluated.ranks, name)) for name in ("retrieved", "reranked")}
    points = [{"ranking": name, **row} for name, rows in bins.items() for row in rows]
    cells = [
        [before["ranks"], str(before["pairs"]), str(after["pairs"])]
        for before, after in zip(bins["retrieved"], bins["reranked"], strict=True)
    ]
    depth = found.settings.evaluate.depth
    caption = f"Validation pairs by the rank of their misconception. Only the first {depth} retrieved are reranked."
    return Panel(title, caption, charts.ranks_chart(points), ("rank", "retrieved", "reranked"), cells)


def recall_panel(found: Finished) -> Panel:
    title = "Recall against k"
    if not found.evaluated:
        return Panel(title, missing=_why_not(found))
    weight = found.settings.evaluate.unseen_weight
    curves = {
        name: recall_by_depth(of_ranking(found.evaluated.ranks, name), weight)
        for name in found.evaluated.metrics["labelled"]
    }
    points = [{"ranking": name, **row} for name, rows in curves.items() for row in rows]
    ks = [row["k"] for row in next(iter(curves.values()))]
    cells = [[str(k), *(f"{rows[place]['recall']:.3f}" for rows in curves.values())] for place, k in enumerate(ks)]
    caption = "How often the right answer is among the first k: what a reranker of k candidates can reach at best."
    return Panel(title, caption, charts.recall_chart(points), ("k", *(charts.NAMES[name] for name in curves)), cells)


def reliability_panel(found: Finished) -> Panel:
    title = "Reliability of the scores"
    if not found.evaluated:
        return Panel(title, missing=_why_not(found))
    rows = reliability(with_probability(found.evaluated.ranked, found.evaluated.queries))
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
        "How often a candidate was right, against the probability that the reranker gave it (softmax of its scores "
        "over a query's candidates). On the dashed line a probability keeps its word; above it the reranker is too "
        "modest, below too sure. The numbers on top count candidates; bars are Wilson's 95 % intervals."
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
    from training.experiments import describe_agreement

    caption = f"{describe_agreement(found.scored)}. Where a run holds nothing out, its CV is that of split=cv."
    return Panel(title, caption, charts.scores_chart(points), ("run", "weighted MAP@25", "public"), cells)


def seconds_panel(found: Finished) -> Panel:
    title = "Where the time went"
    if not found.lineages:
        return Panel(title, missing="No stage is finished yet.")
    rows = [
        {"stage": name, "seconds": made["seconds"], "time": duration(made["seconds"])}
        for name, made in found.lineages.items()
    ]
    caption = (
        f"{duration(sum(row['seconds'] for row in rows))} in all; of a killed training, what it lost is not counted."
    )
    cells = [[row["stage"], f"{row['seconds']:,.1f}"] for row in rows]
    return Panel(title, caption, charts.seconds_chart(rows), ("stage", "seconds"), cells)


def audit_panel(found: Finished) -> Panel:
    title = "Leak audit"
    if found.audit is None:
        return Panel(title, missing="The leak audit has not run yet.")
    cells = [[row["rule"], row["file"], f"{row['rows']:,}", f"{row['violations']:,}"] for row in found.audit]
    caption = "What training read, searched for validation data. A violation stops the run."
    return Panel(title, caption, headers=("rule", "file", "rows", "violations"), rows=cells, open=True)


def calibration_panel(found: Finished) -> Panel:
    title = "Calibration"
    if found.calibration is None:
        return Panel(
            title, missing="No calibration has been chosen: just calibrate does it from two evaluated draws on."
        )
    rows = [
        (
            *(facts[key] for key in ("pool", "ranking", "draw")),
            *(f"{facts[side]['weighted']:.3f}" for side in ("without", "with")),
            f"{facts['gain']:+.4f} ({facts['low']:+.4f} to {facts['high']:+.4f})",
            facts["chosen"],
        )
        for facts in found.calibration_figures
    ]
    shown = ("depth", "extra", "blend", "offset", "tail_offset")
    values = ", ".join(f"{key.replace('_', ' ')} {found.calibration[key]:g}" for key in shown)
    caption = f"Chosen on held-out draws: {values}. Each draw below was measured with what the other draws chose."
    headers = ("pool", "ranking", "draw", "without", "with", "gain, weighted", "chosen")
    return Panel(title, caption, headers=headers, rows=rows, open=True)


def settings_panels(found: Finished) -> list[Panel]:
    """What differs from the defaults, and everything else."""
    rows = list(_flatten(found.settings, ""))
    changed = [[key, value, default] for key, value, default in rows if value != default]
    same = [[key, value] for key, value, default in rows if value == default]
    return [
        Panel(
            "Settings that differ from the defaults", headers=("setting", "value", "default"), rows=changed, open=True
        ),
        Panel("Settings left at their defaults", headers=("setting", "value"), rows=same),
    ]


def lineage_panel(found: Finished) -> Panel:
    if not found.lineages:
        return Panel("Lineage", missing="No stage is finished yet.")
    cells = []
    for name, made in found.lineages.items():
        inputs = (f"{path.rpartition('/')[2]} {value[:8]}" for path, value in made.get("inputs", {}).items())
        digests = [made.get(key, "")[:12] for key in ("fingerprint", "base_sha256")]
        cells.append([name, short_version(made), *digests, ", ".join(inputs)])
    caption = "Which code made each stage from what: the first digits of SHA-256. A + marks uncommitted changes."
    headers = ("stage", "code", "fingerprint", "base weights", "inputs")
    return Panel("Lineage", caption, headers=headers, rows=cells, open=True)


def worst_rows(found: Finished) -> list[dict]:
    """The worst rows: each a row of QUERIES, with its answer, ranks "before" and "after" reranking, and candidates."""
    if not found.evaluated:
        return []
    data = found.evaluated
    rows = with_probability(data.ranked, data.queries)
    texts = dict(data.misconceptions.select("misconception_id", "text").iter_rows())
    seen, queries = seen_ids(data.queries), {row["query_id"]: row for row in data.queries.iter_rows(named=True)}
    first = rows.filter(rows["rank"] <= SHOWN).partition_by("query_id", as_dict=True)
    worst = []
    for query_id, before, after in worst_queries(data.ranks, rows, WORST):
        answer = queries[query_id]["misconception_id"]
        candidates = first[(query_id,)].iter_rows(named=True) if (query_id,) in first else ()
        shown = [
            (f"{row['probability']:.2f}", texts[row["misconception_id"]], row["misconception_id"] in seen, row["right"])
            for row in candidates
        ]
        facts = {"answer": texts[answer], "seen": answer in seen, "candidates": shown}
        worst.append({**queries[query_id], **facts, "before": _place(before), "after": _place(after)})
    return worst


def worst_missing(found: Finished) -> str:
    """Why there are no worst rows."""
    return "" if found.evaluated else _why_not(found)


def duration(seconds: float) -> str:
    """`3 h 05 min`, `12 min 04 s`, `9 s`, `0.4 s`"""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _difference(found: Finished, name: str) -> str:
    """By how much the reranked order is better than ranking `name`, weighted, with its paired interval."""
    if name == "reranked":
        return ""
    a, b = (of_ranking(found.evaluated.ranks, ranking) for ranking in (name, "reranked"))
    if a["seen"].all() or not a["seen"].any():
        return "–"
    settings = found.settings.evaluate
    how = {"unseen_weight": settings.unseen_weight, "resamples": settings.bootstrap}
    _, _, difference, low, high, _ = paired_difference([a], [b], **how)
    return f"{difference:+.3f} ({low:+.3f} to {high:+.3f})"


def _flatten(section, prefix: str):
    """(name, value, default) of every setting; one without a default has – there."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if hasattr(value, "model_fields"):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            default = "–" if field.is_required() else _words(field.get_default(call_default_factory=True))
            yield f"{prefix}{name}", _words(value), default


def _words(value) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value) or "empty"


def _main(parts: dict) -> dict:
    return parts.get("weighted") or parts["all"]


def _why_not(found: Finished) -> str:
    return NOTHING_HELD_OUT if found.run.name == "full" else NOT_EVALUATED


def _interval(figures: dict | None) -> str:
    return _values(figures["map@25"], figures["low"], figures["high"]) if figures else "–"


def _values(value: float, low: float, high: float) -> str:
    return f"{value:.3f} ({low:.3f}–{high:.3f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _place(rank: int | None) -> str:
    return "not among the candidates" if rank is None else f"rank {rank}"
