"""Prints every run with its figures, cost, code and leaderboard score, and records a score that the user saw."""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from shared.artifacts.json_files import read_json
from shared.artifacts.leaderboard import SCORE_FILE, Score, read_score, write_score
from shared.artifacts.lineage import read_lineage
from shared.artifacts.manifest import is_whole
from shared.settings.load import RUNS
from shared.task.current import TASK, about
from shared.task.eedi import EEDI
from shared.task.splits import SPLITS
from shared.task.tables import POOLS, RANKS
from training.analysis.console import format_interval, open_console
from training.analysis.untrained import best_untrained
from training.pipeline.stages import STAGES
from training.run_folder.code_version import short_version
from training.run_folder.names import Target

ENOUGH = 3  # scored runs for a rank correlation


@dataclass(frozen=True)
class Run:
    """One folder runs/ITERATION/SPLIT: `figures` {part: ...} of the reranked, labelled pool, {} where not evaluated."""

    iteration: str
    split: str
    task: str
    figures: dict[str, dict]
    seconds: float
    versions: tuple[str, ...]  # of the code, in the order of the stages
    score: Score | None
    untrained: float | None = None  # the weighted figure of the best ranking without training


@dataclass(frozen=True)
class Scored:
    """A run with a public score beside its CV: weighted MAP@25 and its interval."""

    name: str
    cv: float
    low: float
    high: float
    public: float


def runs() -> int:
    """Print the table of all runs, and how the leaderboard agrees with CV."""
    found = find_runs()
    if not found:
        raise ValueError(f"no run in {RUNS}/: `just train iter=N` makes one")
    console = open_console()
    for task in dict.fromkeys(run.task for run in found):
        with about(task):
            console.print(_table([run for run in found if run.task == task]))
    notes = ["+: with uncommitted changes; code: no git, a digest of the code instead"]
    notes += [f"{run.iteration}/{run.split}: its score is of earlier models" for run in found if _is_stale(run)]
    agreement = [
        describe_agreement(pairs)
        for task in dict.fromkeys(run.task for run in found)
        if (pairs := pair_scores(found, task)) or task == TASK.name
    ]
    for line in (*notes, *agreement):
        console.print(line, highlight=False)
    return 0


def lb(target: Target, public: str | None, private: str | None) -> int:
    """Record what the leaderboard showed for a run, as it was typed. Raises ValueError for what is no score."""
    for key, text in (("public", public), ("private", private)):
        if text is not None and not re.fullmatch(r"0?\.\d+|[01](\.0+)?", text):
            raise ValueError(f"{key}={text}: a score is a number from 0 to 1, as 0.505")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write_score(target.run, time=now, public=public, private=private)
    score = read_score(target.run)
    print(f"{target.run / SCORE_FILE}: public {format_score(score.public)}, private {format_score(score.private)}")
    return 0


def find_runs() -> list[Run]:
    """Every run folder that holds a finished stage or a score, by iteration (2 before 10) and split."""
    places = [(folder.name, split) for folder in RUNS.glob("*") for split in SPLITS if (folder / split).is_dir()]
    places.sort(key=lambda place: (_natural(place[0]), SPLITS.index(place[1])))
    found = [_read(RUNS / iteration / split) for iteration, split in places]
    return [run for run in found if run.versions or run.score]


def pair_scores(found: list[Run], task: str | None = None) -> list[Scored]:
    """The runs of a task (the process's own unless said) with a public score, of the models that are there, and a CV.

    That is their own, or that of split=cv.
    """
    with about(task or TASK.name):
        return _pair_scores([run for run in found if run.task == TASK.name])


def _pair_scores(found: list[Run]) -> list[Scored]:
    cv = {run.iteration: run.figures for run in found if run.split == "cv"}
    pairs = []
    for run in found:
        weighted = (run.figures or cv.get(run.iteration, {})).get("weighted")
        if weighted and run.score and run.score.public is not None and run.score.current:
            figures = (weighted[key] for key in (TASK.metric.key, "low", "high"))
            pairs.append(Scored(f"{run.iteration}/{run.split}", *figures, run.score.public))
    return pairs


def describe_agreement(pairs: list[Scored]) -> str:
    """A sentence: the rank correlation of CV and public score, or why there is none."""
    if len(pairs) < ENOUGH:
        return f"CV against leaderboard: {len(pairs)} of the {ENOUGH} scored runs that a rank correlation takes"
    if len({pair.cv for pair in pairs}) == 1 or len({pair.public for pair in pairs}) == 1:
        return "CV against leaderboard: all scores are the same, so there is no order to compare"
    from scipy.stats import kendalltau, spearmanr

    values = [pair.cv for pair in pairs], [pair.public for pair in pairs]
    return (
        f"CV against leaderboard, {len(pairs)} runs: rank correlation {spearmanr(*values).statistic:.2f} (Spearman), "
        f"{kendalltau(*values).statistic:.2f} (Kendall)"
    )


def check_metric(run: Path, figures: dict) -> None:
    """Raise ValueError for figures {part: values} that were measured with another metric than the task's."""
    if (whole := figures.get("all")) and TASK.metric.key not in whole:
        raise ValueError(f"{run} was measured with another metric than {TASK.metric.title}: clean the run, train again")


def format_score(value: float | None) -> str:
    """`0.505`, - where there is none."""
    return "-" if value is None else f"{value:.3f}"


def _read(run: Path) -> Run:
    done = [run / name for name in STAGES if is_whole(run / name)]
    lineages = [read_lineage(folder, "seconds") for folder in done]
    metrics = run / "evaluate" / "metrics.json"
    figures = read_json(metrics).get("labelled", {}) if metrics.is_file() else {}
    task = next((lineage.task for lineage in lineages if lineage.task), EEDI.name)
    with about(task):
        check_metric(run, figures.get("reranked", {}))
    return Run(
        run.parent.name,
        run.name,
        task,
        figures.get("reranked", {}),
        sum(lineage.seconds for lineage in lineages),
        tuple(dict.fromkeys(short_version(lineage) or "unknown" for lineage in lineages)),
        read_score(run),
        _untrained(run, task),
    )


def _untrained(run: Path, task: str) -> float | None:
    if not (RANKS.path(run / "evaluate").is_file() and (run / "settings.json").is_file()):
        return None  # not evaluated, or by an older version
    with about(task):
        best = best_untrained([run], POOLS[0])
    return best and best.figure


def _table(found: list[Run]) -> Table:
    columns = (
        "iteration",
        "split",
        "weighted",
        "best untrained",
        "seen",
        "unseen",
        TASK.metric.recall_key,
        "seconds",
        "commit",
    )
    of_task = "" if TASK.name == EEDI.name else f" of the task {TASK.name}"
    what = f"{TASK.metric.title} reranked, among the labelled {TASK.entries}, 95 % intervals; recall weighted"
    title = f"Runs{of_task} ({what})"
    table = Table(*columns, "LB public", "private", title=title)
    for column in (*table.columns[2:8], *table.columns[9:]):
        column.justify = "right"
    for place, run in enumerate(found):
        weighted = run.figures.get("weighted")
        figures = [format_interval(weighted), format_score(run.untrained)]
        figures += [format_score(run.figures.get(part, {}).get(TASK.metric.key)) for part in ("seen", "unseen")]
        figures.append(format_score(weighted and weighted[TASK.metric.recall_key]))
        scores = (run.score.public, run.score.private) if run.score else (None, None)
        stale = "*" if _is_stale(run) else ""
        cells = [f"{run.seconds:,.0f}", "\n".join(run.versions), *(format_score(score) + stale for score in scores)]
        last = place + 1 == len(found) or found[place + 1].iteration != run.iteration
        table.add_row(run.iteration, run.split, *figures, *cells, end_section=last)
    return table


def _is_stale(run: Run) -> bool:
    return run.score is not None and not run.score.current


def _natural(name: str) -> list:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]
