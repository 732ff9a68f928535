"""Writes the tables of an analysis to a terminal or a log file, and figures as their cells show them."""

import sys

from rich.console import Console

from shared.task.current import TASK


def open_console(width: int = 140) -> Console:
    """Where tables go; a log file has no width of its own and gets this one."""
    return Console(width=None if sys.stdout.isatty() else width)


def format_interval(figures: dict | None) -> str:
    """`0.239 (0.218-0.262)`, - where there are no figures."""
    return f"{figures[TASK.metric.key]:.3f} ({figures['low']:.3f}-{figures['high']:.3f})" if figures else "-"
