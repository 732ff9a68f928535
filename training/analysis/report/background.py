"""Says what stands behind the figures: time, audit, calibration, settings, lineage."""

from pydantic import BaseModel

from shared.counted import count
from shared.prompts.kinds import ROLES
from training.analysis.report import charts
from training.analysis.report.panels import Panel
from training.analysis.report.read import Finished
from training.run_folder.code_version import short_version
from training.run_folder.training_log import Began, Updated


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


def trainings_panel(found: Finished) -> Panel:
    """When, on what and how fast the models were trained."""
    title = "The trainings"
    trained = [model for model in ROLES if f"train_{model}" in found.lineages]
    if not trained:
        return Panel(title, missing="No model is trained yet.")
    if not found.logs:
        return Panel(title, missing="No log was kept: an older version trained the models, or their logs were deleted.")
    cells = [[model, *_speed(found.logs[model])] for model in trained if model in found.logs]
    caption = (
        "Tokens a second are those of the updates, of all processes together, without evaluation and checkpoints; what "
        "is recomputed to save memory counts once. Peak memory is the first process's: what it allocated on a GPU, or "
        "what it held on a CPU."
    )
    headers = ("model", "began (UTC)", "hardware", "processes", "tokens", "tokens/s", "peak memory")
    return Panel(title, caption, headers=headers, rows=cells, open=True)


def within_epochs(found: Finished) -> list[Panel]:
    """The loss of both models within their epochs."""
    panels = []
    for model, log in found.logs.items():
        updates = [line for line in log if isinstance(line, Updated)]
        points = [{"at": line.epoch - 1 + line.update / line.updates, "loss": line.loss} for line in updates]
        if not points:
            continue
        cells = [
            [str(line.epoch), f"{line.update:,} of {line.updates:,}", f"{line.loss:.3f}", f"{line.tokens:,}"]
            for line in updates
        ]
        caption = f"The mean of each {count(updates[0].update, 'update')}." if updates[0].update > 1 else ""
        headers = ("epoch", "update", "loss", "tokens")
        title = f"{model.capitalize()}: loss within epochs"
        panels.append(Panel(title, caption, charts.updates_chart(points), headers, cells))
    return panels


def when_trained(found: Finished) -> str:
    """`trained on 2026-11-26 on 1 x NVIDIA H200`; "" where no log says so."""
    attempts = [line for log in found.logs.values() for line in log if isinstance(line, Began)]
    if not attempts:
        return ""
    days = sorted({line.at[:10] for line in attempts})
    hardware = ", ".join(dict.fromkeys(line.hardware for line in attempts))
    return f"trained on {' to '.join(dict.fromkeys((days[0], days[-1])))} on {hardware}"


def _speed(log: list[Began | Updated]) -> list[str]:
    """The cells of one training: of several attempts the first one's date, and the hardware of each."""
    attempts = [line for line in log if isinstance(line, Began)]
    updates = [line for line in log if isinstance(line, Updated)]
    seconds, tokens = sum(line.seconds for line in updates), sum(line.tokens for line in updates)
    began = attempts[0].at[:16].replace("T", " ")
    killed = len(attempts) - 1
    return [
        began + (f", in {count(len(attempts), 'attempt')}" if killed else ""),
        ", ".join(dict.fromkeys(line.hardware for line in attempts)),
        ", ".join(dict.fromkeys(str(line.processes) for line in attempts)),
        f"{tokens:,}",
        f"{tokens / seconds:,.0f}" if seconds else "–",
        f"{max((line.peak_bytes for line in updates), default=0) / 2**30:.2f} GiB",
    ]


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
