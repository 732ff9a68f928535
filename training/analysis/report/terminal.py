"""Prints what finished runs cost and what they reached: stage, seconds, MAP@25, recall@25."""

from pathlib import Path

from rich.table import Table

from shared.artifacts.json_files import read_json
from shared.artifacts.lineage import read_lineage
from shared.artifacts.manifest import is_whole
from shared.settings.load import read_settings
from shared.task.current import TASK
from shared.task.tables import POOLS
from training.analysis.console import format_interval, open_console
from training.analysis.runs import check_metric
from training.analysis.sensitivity import MEANING, read_siblings, sensitivity_table
from training.analysis.untrained import describe_best, describe_reranking, name_miner
from training.export.quantization_loss import describe_loss
from training.pipeline.stages import STAGES
from training.run_folder.freshness import outdated


def print_report(runs: list[Path]) -> list[Path]:
    """Print a table of the stages of `runs` and one of their evaluations; returns those that have finished a stage.

    Raises ValueError when none has, and where an older version evaluated one.
    """
    found = [run for run in runs if any(is_whole(run / name) for name in STAGES)]
    if not found:
        raise ValueError(f"no finished stage in {', '.join(map(str, runs))}: `just train iter=N` makes one")
    evaluations = {run: read_metrics(run) for run in found if (run / "evaluate" / "metrics.json").is_file()}
    console = open_console()
    console.print(_stages(found))
    for run, metrics in evaluations.items():
        if why := outdated(run):
            console.print(why, highlight=False)
        console.print(_figures(run, metrics["labelled"]))
        console.print(_line(metrics["catalogue"]), highlight=False)
        for pool in POOLS:
            console.print(describe_best([run], pool), highlight=False)
            if said := describe_reranking([run], pool):
                console.print(said, highlight=False)
        console.print(f"miner: {name_miner(read_settings(run))}", highlight=False)
        if (siblings := read_siblings(run)) is not None:
            resamples = read_settings(run).evaluate.bootstrap
            console.print(sensitivity_table(str(run), [siblings], "labelled", resamples))
            console.print(MEANING, highlight=False)
    for path in [path for run in found for path in sorted(run.glob("quantize_*/metrics.json"))]:
        said = describe_loss(path.parent.name.removeprefix("quantize_"), read_json(path))
        console.print(f"{path.parent.parent}: {said}", highlight=False)
    return found


def read_metrics(run: Path) -> dict[str, dict[str, dict]]:
    """{pool: {ranking: {part: figures}}} of an evaluated run. Raises ValueError where an older version evaluated it."""
    metrics = read_json(run / "evaluate" / "metrics.json")
    if "labelled" not in metrics or not (run / "evaluate" / "ranks.parquet").is_file():
        raise ValueError(f"{run} was evaluated by an older version: `just clean` its stage=evaluate and train again")
    for parts in metrics["labelled"].values():
        check_metric(run, parts)
    return metrics


def _stages(runs: list[Path]) -> Table:
    table = Table(
        "run",
        "stage",
        "seconds",
        TASK.metric.title,
        TASK.metric.recall_key,
        "pool",
        title="Stages (figures on the validation fold: all pairs)",
    )
    for column in table.columns[2:5]:
        column.justify = "right"
    for run in runs:
        for name in STAGES:
            if is_whole(run / name):
                seconds = read_lineage(run / name, "seconds").seconds
                figures = _reached(run, name)
                pool = POOLS[0] if name == "evaluate" else POOLS[1] if any(figures) else ""
                table.add_row(f"{run.parent.name}/{run.name}", name, f"{seconds:.0f}", *figures, pool)
        table.add_section()
    return table


def _reached(run: Path, stage: str) -> tuple[str, str]:
    """What the model that the stage made reaches: of a merge, the epoch it took; of evaluate, the final ranking."""
    if stage == "evaluate":
        figures = read_json(run / stage / "metrics.json")["labelled"]["reranked"]
    elif stage.startswith("merge_"):
        trained, _, epoch = read_lineage(run / stage, "adapter").adapter.partition("/epoch_")
        if not (run / trained / "metrics.json").is_file():  # cleaned, to be trained again
            return "", ""
        figures = read_json(run / trained / "metrics.json", kind=list)[int(epoch)]
    elif (run / stage / "metrics.json").is_file() and stage.startswith("quantize_"):
        figures = read_json(run / stage / "metrics.json")["quantised"]
    else:
        return "", ""
    check_metric(run, figures)
    if "all" not in figures:
        return "", ""
    whole = figures["all"]
    if TASK.metric.recall_key not in whole:  # the reranker, evaluated on fewer candidates than 25
        return f"{whole[TASK.metric.key]:.3f}", "-"
    return f"{whole[TASK.metric.key]:.3f}", f"{whole[TASK.metric.recall_key]:.3f}"


def _figures(run: Path, rankings: dict[str, dict]) -> Table:
    columns = (f"{TASK.metric.title} all", "seen", "unseen", "weighted", f"{TASK.metric.recall_key} weighted")
    title = f"{run}: {TASK.metric.title} among the labelled {TASK.entries}, with 95 % intervals"
    table = Table("ranking", *columns, title=title)
    for name, parts in rankings.items():
        cells = [format_interval(parts.get(part)) for part in ("all", "seen", "unseen", "weighted")]
        weighted = parts.get("weighted") or parts["all"]
        table.add_row(name, *cells, f"{weighted[TASK.metric.recall_key]:.3f}")
    return table


def _line(rankings: dict[str, dict]) -> str:
    """`among the whole catalogue, weighted: bm25 0.127 (0.108-0.147), ...`"""
    figures = [f"{name} {format_interval(parts.get('weighted') or parts['all'])}" for name, parts in rankings.items()]
    return f"among the whole catalogue, {'weighted' if 'weighted' in rankings['bm25'] else 'all'}: {', '.join(figures)}"
