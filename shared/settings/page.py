"""Writes docs/configuration.md from the settings: every key with its type, its default and the sentence below it.

python -m shared.settings.page
"""

import json
import types
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from shared.settings.keys import fields_of, inner_section
from shared.settings.sections import Settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
HEAD = """# Configuration

This page is written by `python -m shared.settings.page` from `shared/settings/`; a test fails when it is out of date.

An iteration is a folder of `training/iterations/`, and its `params.toml` says what differs from the defaults below. A
`section.key=value` behind a command overrides one key for a run: `./just train iter=1 train_reranker.rate=1e-4`. A
value is written as in TOML, and a bare word is taken as text. An override of `prepare` or `machine` goes for every
iteration of the run; any other goes for the one that the command names. An unknown section or key is refused, and the
nearest known one is named.

Most sections have the name of the stage that reads them; `miner`, `embedder` and `reranker` describe models, which
several stages read. Changing a key makes those stages, and whatever follows from them, run
again; `./just plan` says which and why. The keys of `machine` change no result beyond rounding, so they make nothing
run again, and neither do `checkpoint_seconds` and `recompute`. What replaces the files of `prepare.competition` is
found by their digest, whatever the folder is called.

"needed" means that there is no default: the iteration's `params.toml` has to say it.
"""
TOP = "Above all sections stands"
COLUMNS = ("| key | type | default | what it is, and why |", "|---|---|---|---|")
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def write_page(path: Path = PAGE) -> None:
    """Write the page to `path`."""
    path.write_text(render_page(), encoding="utf-8")


def render_page() -> str:
    """The page, in Markdown."""
    shown: dict[type, str] = {}  # A class that two sections have is shown once, without a "| None" if possible.
    for name, field in Settings.model_fields.items():
        if field.annotation is inner_section(field):
            shown.setdefault(field.annotation, name)
    for name, field in Settings.model_fields.items():
        shown.setdefault(inner_section(field), name)
    fields = Settings.model_fields.items()
    alone = [_row(name, field) for name, field in fields if inner_section(field) is None]
    sections = [(name, field) for name, field in fields if inner_section(field) is not None]
    top = "\n".join([TOP, "", *COLUMNS, *alone, ""])
    return "\n".join([HEAD, top, *(_section(name, field, shown[inner_section(field)]) for name, field in sections)])


def _section(name: str, field: FieldInfo, shown: str) -> str:
    section = inner_section(field)
    head = [f"## {name}", "", _words(field.description or section.__doc__), ""]
    if name != shown:
        return "\n".join([*head[:-1], f"It has the keys of [{shown}](#{shown}).", ""])
    rows = [_row(key, inner) for key, inner in fields_of(section)]
    return "\n".join([*head, *COLUMNS, *rows, ""])


def _row(key: str, field: FieldInfo) -> str:
    cells = (f"`{key}`", _type(field), _default(field), _words(field.description))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type(field: FieldInfo) -> str:
    metadata = [*field.metadata, *(item for kind in get_args(field.annotation) for item in get_args(kind)[1:])]
    bounds = [
        f"{words} {bound:g}"
        for constraint in metadata
        for item in (constraint.metadata if isinstance(constraint, FieldInfo) else [constraint])
        for name, words in BOUNDS.items()
        if (bound := getattr(item, name, None)) is not None
    ]
    return ", ".join([_kind(field.annotation), *bounds])


def _kind(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is tuple:
        return f"list of {_kind(get_args(annotation)[0])}"
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(_kind(one) for one in get_args(annotation) if one is not types.NoneType)
    return {int: "whole number", float: "number", bool: "true or false", str: "text"}[annotation]


def _default(field: FieldInfo) -> str:
    return "needed" if field.is_required() else f"`{json.dumps(field.default)}`"


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


if __name__ == "__main__":
    write_page()
