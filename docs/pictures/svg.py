"""Puts a picture together from boxes, arrows and texts, as SVG that is readable in light and in dark."""

from collections.abc import Iterable, Sequence
from html import escape

LIGHT = {"page": "#ffffff", "ink": "#1f2328", "faint": "#59636e", "box": "#f6f8fa", "line": "#8c959f"}
LIGHT |= {"ours": "#0969da", "peer": "#afb8c1", "loop": "#bc4c00", "seen": "#54aeff", "none": "#eaeef2"}
DARK = {"page": "#0d1117", "ink": "#f0f6fc", "faint": "#9198a1", "box": "#151b23", "line": "#656c76"}
DARK |= {"ours": "#4493f8", "peer": "#656c76", "loop": "#db6d28", "seen": "#1f6feb", "none": "#212830"}
FONT = "font-family: ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"


def draw(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """The picture; `title` is what a screen reader says. Lengths are pixels."""
    marker = (
        '<marker id="{0}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" class="{0}"/></marker>'
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>text {{ {FONT} }} {_colours(LIGHT)}",
        f"@media (prefers-color-scheme: dark) {{ {_colours(DARK)} }}</style>",
        f"<defs>{marker.format('line')}{marker.format('loop')}</defs>",
        f'<rect class="page" width="{width}" height="{height}" rx="8"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def text(x: float, y: float, words: str, *, size: int = 13, colour: str = "ink", anchor: str = "start") -> str:
    """One line of text; `y` is its base line."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" class="{colour}">{escape(words)}</text>'
    )


def rectangle(x: float, y: float, width: float, height: float, colour: str = "box", *, outline: bool = False) -> str:
    """A filled rectangle, with a thin line around it where `outline` is true."""
    border = ' stroke-width="1" style="stroke: var(--line)"' if outline else ""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" class="{colour}"{border}/>'


def line(points: Sequence[tuple[float, float]], colour: str, *, width: float) -> str:
    """A line through `points`."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke-width="{width:g}" style="stroke: var(--{colour})"/>'


def arrow(points: Sequence[tuple[float, float]], colour: str = "line", *, dashed: bool = False) -> str:
    """A line through `points` that ends in an arrow."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<polyline points="{path}" fill="none" stroke-width="1.5"{dash} style="stroke: var(--{colour})" '
        f'marker-end="url(#{colour})"/>'
    )


def _colours(palette: dict[str, str]) -> str:
    variables = "; ".join(f"--{name}: {colour}" for name, colour in palette.items())
    return f"svg {{ {variables} }} " + " ".join(f".{name} {{ fill: var(--{name}) }}" for name in palette)
