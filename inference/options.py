"""Makes options of typer that several commands of inference take."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Vectors = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Remember vectors there, and encode only what changed.")
]
NoCalibration = Annotated[bool, typer.Option("--no-calibration", help="Ignore the reranker's calibration.json.")]
LimitSeconds = Annotated[float | None, typer.Option(help="Be done, as well as possible, so many seconds from now.")]
Ray = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Let a Ray cluster do it (auto: this machine's), without a limit.")
]


def model_option(role: str):
    """--embedder or --reranker, which may be said again for each further model."""
    text = f"Folder of a merged {role}, and its weight beside others; again for each further one."
    return typer.Option(f"--{role}", metavar="DIR[=WEIGHT]", help=text)


def choice_option(choices: tuple[str, ...], text: str):
    """An option that is one of `choices`."""
    return typer.Option(metavar="|".join(choices), callback=_one_of(choices), help=text)


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in choices:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(choices)}")
        return value

    return check
