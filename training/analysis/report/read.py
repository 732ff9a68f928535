"""Reads everything that a run folder holds for its report; what is not there is None, and the report says so."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shared.artifacts.json_files import read_json
from shared.artifacts.lineage import Lineage, read_lineage
from shared.artifacts.manifest import is_whole
from shared.prompts.kinds import ROLES
from shared.settings.load import read_settings
from shared.settings.sections import Settings
from shared.task.current import TASK
from shared.task.tables import RANKED, TEXTS
from training.analysis.report.terminal import read_metrics
from training.analysis.runs import Scored, check_metric, find_runs, pair_scores
from training.pipeline.stages import STAGES
from training.run_folder.training_log import Began, Updated, log_of_output


@dataclass(frozen=True)
class Evaluated:
    """What the evaluation left: figures by pool, ranking and part, and the tables they come from."""

    metrics: dict[str, dict[str, dict]]
    ranks: pl.DataFrame
    ranked: pl.DataFrame
    queries: pl.DataFrame
    misconceptions: pl.DataFrame


@dataclass(frozen=True)
class Finished:
    """A run, as far as it is finished."""

    run: Path
    settings: Settings
    lineages: dict[str, Lineage]  # of the finished stages, in their order
    histories: dict[str, list[dict]]  # model -> figures of every epoch, the first before training
    logs: dict[str, list[Began | Updated]]  # model -> the log of its training, where one is kept
    merged: dict[str, int]  # model -> the epoch that serves
    evaluated: Evaluated | None
    texts: pl.DataFrame | None  # what a language model wrote: TEXTS of explain and describe
    audit: list[dict] | None
    calibration: dict | None
    calibration_figures: list[dict]
    scored: list[Scored]  # of all runs
    label_audit: dict[str, list[dict]] | None = None  # {"labels", "duplicates", "confused": rows of that file}


def read_finished(run: Path) -> Finished:
    """What is finished of `run`. Raises ValueError where an older version evaluated it."""
    lineages = {name: read_lineage(run / name, "seconds") for name in STAGES if is_whole(run / name)}
    histories = {model: _json(run / f"train_{model}/metrics.json") for model in ROLES}
    for figures in (figures for history in histories.values() for figures in history or ()):
        check_metric(run, figures)
    trained = [model for model in ROLES if f"train_{model}" in lineages]
    logs = {model: log_of_output(run / f"train_{model}", lineages[f"train_{model}"]) for model in trained}
    merged = [model for model in ROLES if f"merge_{model}" in lineages]
    adapters = {model: read_lineage(run / f"merge_{model}", "adapter").adapter for model in merged}
    calibration = run.parent / "calibration"
    return Finished(
        run=run,
        settings=read_settings(run),
        lineages=lineages,
        histories={model: history for model, history in histories.items() if history},
        logs={model: log for model, log in logs.items() if log},
        merged={model: int(adapter.rpartition("_")[2]) for model, adapter in adapters.items()},
        evaluated=_read_evaluated(run) if "evaluate" in lineages else None,
        texts=_read_texts(run, lineages),
        audit=_json(run / "audit/audit.json"),
        calibration=_json(calibration / "calibration.json"),
        calibration_figures=_json(calibration / "figures.json") or [],
        scored=pair_scores(find_runs()),
        label_audit=_read_label_audit(run.parent / "label_audit"),
    )


def _read_evaluated(run: Path) -> Evaluated:
    return Evaluated(
        metrics=read_metrics(run),
        ranks=TASK.tables.ranks.read(run / "evaluate"),
        ranked=RANKED.read(run / "evaluate"),
        queries=TASK.tables.queries.read(run / "prepare"),
        misconceptions=TASK.tables.misconceptions.read(run / "prepare"),
    )


def _read_texts(run: Path, lineages: dict[str, Lineage]) -> pl.DataFrame | None:
    there = [TEXTS.read(run / stage) for stage in ("explain", "describe") if stage in lineages]
    return pl.concat(there) if there else None


def _read_label_audit(folder: Path) -> dict[str, list[dict]] | None:
    """The audit's lists, whose cells are strings."""
    if not (folder / "summary.json").is_file():
        return None
    return {
        name: pl.read_csv(folder / f"{name}.csv", infer_schema=False).fill_null("").to_dicts()
        for name in ("labels", "duplicates", "confused")
    }


def _json(path: Path):
    return read_json(path, kind=dict | list) if path.is_file() else None
