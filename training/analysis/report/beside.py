"""Sets a run beside others: what reads the wrong answer, the best without training, and runs of the same rows."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shared.artifacts.manifest import digest, is_whole
from shared.counted import count
from shared.settings.load import RUNS, read_settings
from shared.settings.sections import Settings
from shared.task.current import TASK
from shared.task.metrics import score_queries
from shared.task.tables import POOLS, RANKS
from training.analysis.report.chart_style import NAMES
from training.analysis.report.measure import POOL, of_ranking
from training.analysis.report.panels import Panel, why_not
from training.analysis.report.read import Finished
from training.analysis.sensitivity import HEADERS, MEANING, read_siblings, sensitivity_rows
from training.analysis.untrained import Baseline, best_untrained, difference_from

MOST_SETTINGS = 12  # that differ, named for a run


@dataclass(frozen=True)
class Beside:
    """Another evaluated run of the same rows: what this one gains on it, and the rows that it wins and loses."""

    run: Path
    figures: tuple[float, float, float, float, float]  # the other, this, this - other, low, high
    won: int
    lost: int
    settings: list[str]  # those in which they differ: section.key other -> this


def runs_panel(found: Finished) -> Panel:
    """This run against every other one that holds out the same rows."""
    title = "Other runs of the same rows"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    others = [compare_runs(found, run) for run in find_others(found.run)]
    if not others:
        return Panel(title, missing="No other run that holds out the same rows is evaluated.")
    cells = [
        [str(one.run), f"{one.figures[0]:.3f}", _difference(one.figures), f"{one.won:,}", f"{one.lost:,}", _said(one)]
        for one in others
    ]
    caption = (
        f"Weighted {TASK.metric.title} of the reranked order, labelled pool, and by how much this run is better, with "
        "a paired 95 % interval. Won and lost are the rows that this run ranks better and worse than the other."
    )
    headers = ("run", "weighted", "this one is better by", "won", "lost", "settings that differ")
    return Panel(title, caption, headers=headers, rows=cells, open=True)


def find_others(run: Path) -> list[Path]:
    """The evaluated runs of the same split and rows, this one left out."""
    same = digest(run / "prepare")
    runs = sorted(path for path in RUNS.glob(f"*/{run.name}") if path != run and is_whole(path / "evaluate"))
    return [
        path
        for path in runs
        if is_whole(path / "prepare") and digest(path / "prepare") == same and RANKS.path(path / "evaluate").is_file()
    ]


def compare_runs(found: Finished, other: Path) -> Beside:
    """This run beside `other`."""
    settings = read_settings(other)
    theirs = TASK.tables.ranks.read(other / "evaluate")
    a, b = (of_ranking(ranks, "reranked") for ranks in (theirs, found.evaluated.ranks))
    figures = difference_from(Baseline("", [a], 0.0), [b], found.settings.evaluate)
    rows = _by_query(a).join(_by_query(b), on="query_id", suffix="_here")
    won = int((rows["figure_here"] > rows["figure"]).sum())
    lost = int((rows["figure_here"] < rows["figure"]).sum())
    return Beside(other, figures, won, lost, differing(settings, found.settings))


def differing(other: Settings, here: Settings) -> list[str]:
    """`train_embedder.rate 0.0005 here, 0.001 there` for each setting that differs, in the order of the sections.

    A section that only one of them has is one entry. What the machine is makes no difference.
    """
    found = []
    for (section, a), b in zip(
        other.model_dump(mode="json").items(), here.model_dump(mode="json").values(), strict=True
    ):
        if section == "machine" or a == b:
            continue
        if a is None or b is None:
            found.append(f"[{section}] only {'here' if a is None else 'there'}")
        else:
            there = dict(_flatten(a, ""))
            found += [
                f"{section}.{key} {_word(value)} here, {_word(there.get(key))} there"
                for key, value in _flatten(b, "")
                if value != there.get(key)
            ]
    return found


def untrained_panel(found: Finished) -> Panel:
    """The rankings of each pool against the best one that needed no training."""
    title = "Against the best without training"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    cells = []
    for pool in POOLS:
        best = best_untrained([found.run], pool)
        for ranking in ("retrieved", "reranked") if best else ():
            rows = found.evaluated.ranks.filter(pl.col("pool") == pool, pl.col("ranking") == ranking)
            figures = difference_from(best, [rows], found.settings.evaluate)
            values = [f"{figures[0]:.3f}", f"{figures[1]:.3f}", _difference(figures)]
            cells.append([pool, best.name, values[0], NAMES[ranking], *values[1:]])
    caption = f"Weighted {TASK.metric.title}; the last column has a paired 95 % interval over questions."
    headers = ("pool", "best without training", "figure", "ranking", "its figure", "difference")
    return Panel(title, caption, headers=headers, rows=cells, open=True)


def sensitivity_panel(found: Finished) -> Panel:
    """How much each ranking depends on the wrong answer."""
    title = "Answer sensitivity"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    siblings = read_siblings(found.run)
    if siblings is None:
        return Panel(
            title, missing="No question held out has several labelled wrong answers, or an older version evaluated."
        )
    rows = sensitivity_rows([siblings], POOL, found.settings.evaluate.bootstrap)
    cells = [[NAMES.get(row[0], row[0].capitalize()), *row[1:]] for row in rows]
    questions = siblings["question_id"].n_unique()
    caption = f"{MEANING} Labelled pool, {count(questions, 'question')}, 95 % intervals."
    return Panel(title, caption, headers=("ranking", *HEADERS.values()), rows=cells, open=True)


def sensitivity_tiles(found: Finished) -> list[tuple[str, str, str]]:
    """How often all wrong answers of a question get one first misconception, for the head of the page; maybe none."""
    siblings = read_siblings(found.run)
    if siblings is None:
        return []
    shares = siblings.filter(pool=POOL).group_by("ranking").agg(pl.col("same_first").mean())
    share = dict(shares.iter_rows())
    return [
        ("Same first", f"{share['reranked']:.0%}", f"for all wrong answers of a question; labels {share['labels']:.0%}")
    ]


def _difference(figures: tuple[float, ...]) -> str:
    return f"{figures[2]:+.3f} ({figures[3]:+.3f}\u00a0to\u00a0{figures[4]:+.3f})"


def _said(one: Beside) -> str:
    further = len(one.settings) - MOST_SETTINGS
    said = "; ".join(one.settings[:MOST_SETTINGS]) or "none"
    return f"{said} and {further} more" if further > 0 else said


def _by_query(ranks: pl.DataFrame) -> pl.DataFrame:
    ids = ranks["query_id"].unique(maintain_order=True)
    return pl.DataFrame({"query_id": ids, "figure": score_queries(ranks)})


def _word(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value) or "empty"


def _flatten(values: dict, prefix: str):
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
