"""Makes options of typer that several commands of inference take."""

from collections.abc import Callable

import typer


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
