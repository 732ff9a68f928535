"""Draws how good the submission is while a prediction runs, from a series that benchmarks.anytime measured."""

import json
import math
from pathlib import Path

from docs.pictures.svg import draw, line, text

MEASURED = Path(__file__).parents[2] / "benchmarks" / "measured" / "anytime_demo.json"
LEFT, TOP, WIDTH, HEIGHT = 60, 60, 760, 240  # pixels, of the field inside the axes


def anytime() -> str:
    """The picture: a step for every file that stood there, from the start to the end."""
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    points, end = found["points"], found["points"][-1][0]
    tenths = math.ceil(max(figure for _, figure in points) * 10)  # where the field ends
    top = tenths / 10

    def place(seconds: float, figure: float) -> tuple[float, float]:
        return LEFT + WIDTH * seconds / end, TOP + HEIGHT * (1 - figure / top)

    parts = [text(16, 28, f"{found['metric']} of submission.csv while {found['rows']} rows are predicted", size=14)]
    for tenth in range(tenths + 1):
        y = place(0, tenth / 10)[1]
        parts.append(line([(LEFT, y), (LEFT + WIDTH, y)], "none", width=1))
        parts.append(text(LEFT - 8, y + 4, f"{tenth / 10:.1f}", size=12, colour="faint", anchor="end"))
    for seconds in (0, end / 2, end):
        x = place(seconds, 0)[0]
        parts.append(text(x, TOP + HEIGHT + 20, f"{seconds:.0f} s", size=12, colour="faint", anchor="middle"))
    steps = [place(*points[0])]
    for seconds, figure in points[1:]:
        steps += [(place(seconds, 0)[0], steps[-1][1]), place(seconds, figure)]
    parts.append(line(steps, "ours", width=2))
    caption = "at once by words in common; then as the demo's small embedder finds them; then better with each shard"
    parts.append(text(LEFT, TOP + HEIGHT + 46, caption, size=12, colour="faint"))
    return draw(860, TOP + HEIGHT + 62, "Quality of the submission over the time of a prediction", parts)
