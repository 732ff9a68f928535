"""Says at the end of a training what it reached, beside what needs no training, and which commands come next."""

from pathlib import Path

from shared.artifacts.json_files import read_json
from shared.task.current import TASK

BASELINES = {"popularity": "what is common, no text read", "bm25": "words in common (BM25)", "untrained": "untrained"}


def closing_lines(run: Path) -> list[str]:
    """Lines about an evaluated run; [] where it holds nothing out, or an older version evaluated it."""
    path = run / "evaluate" / "metrics.json"
    if not path.is_file():
        return [f"next: ./just push-models {_words(run.parent / 'cv')} --dry-run"] if run.name == "full" else []
    figures = read_json(path).get("labelled", {})
    if "reranked" not in figures:
        return []
    part = "weighted" if "weighted" in figures["reranked"] else "all"
    kind = "weighted " if part == "weighted" else ""
    lines = [
        f"{kind}{TASK.metric.title} on held-out questions, among the labelled {TASK.entries} (1 would be perfect):"
    ]
    for ranking, meaning in {**BASELINES, "retrieved": "as retrieved", "reranked": "as reranked"}.items():
        value = figures.get(ranking, {}).get(part, {})
        if TASK.metric.key in value:
            lines.append(
                f"  {value[TASK.metric.key]:.3f}  {meaning}{_interval(value) if ranking == 'reranked' else ''}"
            )
    return [*lines, f"next: ./just report {_words(run)}, ./just runs, ./just compare a=RUN b={run}"]


def _interval(figures: dict) -> str:
    return f", 95 % interval {figures['low']:.3f} to {figures['high']:.3f}"


def _words(run: Path) -> str:
    return f"iter={run.parent.name.removeprefix('iter')}" + (f" split={run.name}" if run.name != "cv" else "")
