"""Writes a run's report.html: one file that needs no network, whole or as it was before."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import vl_convert
from altair import SCHEMA_VERSION
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.artifacts.files import replacing
from shared.counted import count
from shared.task.current import TASK
from training.analysis.report import background, beside, labels, panels
from training.analysis.report.chart_style import NAMES
from training.analysis.report.panels import Panel
from training.analysis.report.read import Finished, read_finished
from training.analysis.report.rows import mistakes
from training.analysis.report.rows.worst import all_rows, worst_rows
from training.analysis.report.texts import texts_panels
from training.analysis.untrained import best_untrained
from training.run_folder.code_version import short_version

HERE = Path(__file__).parent
PAGE = "report.html"


@dataclass(frozen=True)
class Section:
    """A heading of the page with its panels; `wide` ones have a line to themselves."""

    key: str
    title: str
    panels: list[Panel]
    wide: bool = True


def write_page(run: Path) -> Path:
    """Write `run`/report.html and return its path. Raises ValueError where the run has no settings."""
    path, html = run / PAGE, render_page(read_finished(run))
    with replacing(path) as partial:
        partial.write_text(html, encoding="utf-8", errors="surrogatepass")
    return path


def render_page(found: Finished) -> str:
    """The page as HTML. The template escapes every text; only the script and the style are taken as they are."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = _breakable
    sections, script, rows = _sections(found), _script(), all_rows(found)
    return environment.get_template("page.html").render(
        name=f"{found.run.parent.name} / {found.run.name}",
        about=_about(found),
        tiles=_tiles(found),
        sections=sections,
        worst=worst_rows(found),
        rows=rows,
        subjects=sorted({question[0] for question in rows["questions"].values()}),
        missing=panels.why_not(found),
        entry=TASK.entry,
        specs=[panel.chart for section in sections for panel in section.panels if panel.chart],
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _breakable(text: str) -> Markup:
    """`text` escaped, with leave to break a line behind the dots and slashes of a name or path."""
    return Markup("<wbr>").join(re.split(r"(?<=[^\W\d][./])", text))


def _script() -> str:
    """KaTeX, Vega-Lite and our few lines, in one script."""
    version = ".".join(SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    ours = "".join((HERE / name).read_text(encoding="utf-8") for name in ("page.js", "rows.js"))
    parts = [(HERE / "katex" / name).read_text(encoding="utf-8") for name in ("katex.min.js", "auto-render.min.js")]
    script = ";\n".join([*parts, vl_convert.javascript_bundle(ours, vl_version=version)])
    assert "</script" not in script and "<!--" not in script
    return script


def _sections(found: Finished) -> list[Section]:
    answers = [panels.ranks_panel(found), panels.recall_panel(found), panels.reliability_panel(found)]
    within = background.within_epochs(found)
    kept = [*background.settings_panels(found), background.lineage_panel(found)]
    return [
        Section("figures", "Figures", [panels.rankings_panel(found), beside.untrained_panel(found)]),
        Section("runs", "Other runs", [beside.runs_panel(found)]),
        Section("mistakes", "Mistakes", [mistakes.budget_panel(found), mistakes.confused_panel(found)]),
        Section("sensitivity", "Answer sensitivity", [beside.sensitivity_panel(found)]),
        Section("training", "Training by epoch", [*panels.epochs_panels(found), *within], wide=False),
        Section("answers", "Ranks and scores", [*answers, panels.scores_panel(found)], wide=False),
        Section("subjects", "Subjects", [panels.subjects_panel(found)]),
        Section("texts", "What a language model wrote", texts_panels(found)),
        Section("labels", "Labels and catalogue", labels.label_panels(found)),
        Section("time", "Time and hardware", [background.seconds_panel(found), background.trainings_panel(found)]),
        Section("audit", "Audit and calibration", [background.audit_panel(found), background.calibration_panel(found)]),
        Section("settings", "Settings and lineage", kept),
    ]


def _about(found: Finished) -> str:
    """`Qwen/Qwen2.5-14B retrieves, ... reranks 25; made by 8d92255; trained on 2026-11-26 on 1 x NVIDIA H200`"""
    settings = found.settings
    versions = dict.fromkeys(filter(None, map(short_version, found.lineages.values())))
    models = f"{settings.embedder.base} retrieves, {settings.reranker.base} reranks {settings.evaluate.depth}"
    made = f"{models}; made by {', '.join(versions)}" if versions else models
    return "; ".join(filter(None, (made, background.when_trained(found))))


def _tiles(found: Finished) -> list[tuple[str, str, str]]:
    """(what, figure, what it means) of the first lines of the page; the first is the headline."""
    tiles = []
    if found.evaluated:
        figures = found.evaluated.metrics["labelled"]
        parts = figures["reranked"]
        main = parts.get("weighted") or parts["all"]
        name = f"Weighted {TASK.metric.title}" if "weighted" in parts else TASK.metric.title
        meaning = f"labelled pool, 95 % interval {main['low']:.3f}–{main['high']:.3f}"
        tiles.append((name, f"{main[TASK.metric.key]:.3f}", meaning))
        if best := best_untrained([found.run], "labelled"):
            gained = main[TASK.metric.key] - best.figure
            tiles.append(("Best untrained", f"{best.figure:.3f}", f"{best.name}; {gained:+.3f} reranked"))
        against = (figures["retrieved"].get("weighted") or figures["retrieved"]["all"])[TASK.metric.key]
        tiles.append((NAMES["retrieved"], f"{against:.3f}", f"{main[TASK.metric.key] - against:+.3f} reranked"))
        tiles.append(
            (
                f"Recall@{TASK.metric.depth}",
                f"{main[TASK.metric.recall_key]:.3f}",
                "weighted" if "weighted" in parts else "all pairs",
            )
        )
        unseen = parts.get("unseen", {"pairs": 0})["pairs"] / parts["all"]["pairs"]
        tiles.append(("Validation pairs", f"{parts['all']['pairs']:,}", f"{unseen:.0%} unseen in training"))
        tiles += beside.sensitivity_tiles(found)
    score = max(
        (pair.public for pair in found.scored if pair.name.startswith(f"{found.run.parent.name}/")), default=None
    )
    tiles.append(("Leaderboard", "–" if score is None else f"{score:.3f}", "public" if score else "no score recorded"))
    if found.audit is not None:
        broken, rows = (sum(row[key] for row in found.audit) for key in ("violations", "rows"))
        tiles.append(("Leaks", f"{broken:,}", f"in {count(rows, 'row')} of {count(len(found.audit), 'check')}"))
    seconds = sum(made.seconds for made in found.lineages.values())
    tiles.append(("Time", background.duration(seconds), count(len(found.lineages), "stage")))
    return tiles
