"""Says what stands behind the figures: time, audit, calibration, settings, lineage."""

from pydantic import BaseModel

from training.analysis.report import charts
from training.analysis.report.panels import Panel
from training.analysis.report.read import Finished
from training.run_folder.code_version import short_version


def seconds_panel(found: Finished) -> Panel:
    title = "Where the time went"
    if not found.lineages:
        return Panel(title, missing="No stage is finished yet.")
    rows = [
        {"stage": name, "seconds": made.seconds, "time": duration(made.seconds)}
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
        return Panel(title, missing="No calibration is chosen yet: just calibrate does it on two evaluated draws.")
    rows = [
        (
            *(facts[key] for key in ("pool", "ranking", "draw")),
            *(f"{facts[side]['weighted']:.3f}" for side in ("without", "with")),
            f"{facts['gain']:+.4f} ({facts['low']:+.4f}\u00a0to\u00a0{facts['high']:+.4f})",
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
        inputs = (f"{path.rpartition('/')[2]} {value[:8]}" for path, value in (made.inputs or {}).items())
        digests = [(value or "")[:12] for value in (made.fingerprint, made.base_sha256)]
        cells.append([name, short_version(made), *digests, ", ".join(inputs)])
    caption = "Which code made each stage from what: the first digits of SHA-256. A + marks uncommitted changes."
    headers = ("stage", "code", "fingerprint", "base weights", "inputs")
    return Panel("Lineage", caption, headers=headers, rows=cells, open=True)


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


def _flatten(section, prefix: str):
    """(name, value, default) of every setting; one without a default has – there."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            default = "–" if field.is_required() else _words(field.get_default(call_default_factory=True))
            yield f"{prefix}{name}", _words(value), default


def _words(value) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value) or "empty"
