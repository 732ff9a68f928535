"""Reads what stands behind a command: name=value, section.key=value and flags; what it does not know is refused."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

CALLED_FROM = "MALRULE_CALLED_FROM"  # the folder in which ./just was called, where that is another one


@dataclass(frozen=True)
class Arguments:
    """`options` {name: value}, `overrides` "section.key=value" in their order, `flags` such as "quantized"."""

    options: dict[str, str]
    overrides: tuple[str, ...]
    flags: frozenset[str]


def read_arguments(
    arguments: Sequence[str], names: Sequence[str], *, flags: Sequence[str] = (), overrides: bool = False
) -> Arguments:
    """Sort `arguments` by what they are. Raises ValueError for one that is unknown, naming the nearest known one.

    An override has a full stop in front of its "=" and is checked later, by the settings.
    """
    options, said, given = {}, {}, set()
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals and (name in names or (overrides and "." in name)):
            values = options if name in names else said
            if values.setdefault(name, value) != value:
                raise ValueError(f"{name}={values[name]} and {argument}: say it once")
        elif argument in flags:
            given.add(argument)
        else:
            raise ValueError(_refuse(argument, names, flags, overrides))
    return Arguments(options, tuple(f"{name}={value}" for name, value in said.items()), frozenset(given))


def callers_path(typed: str) -> Path:
    """The path that a person typed, who stands where ./just was called and not where the command runs.

    One that lies in the folder in which the command runs is relative to it, as it is shown everywhere else.
    """
    path, here = Path(typed), Path.cwd()
    if path.is_absolute():
        return path
    whole = Path(os.path.normpath(Path(os.environ.get(CALLED_FROM, here)) / path))
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


def nearest(typed: str, known: Iterable[str]) -> str:
    """The known word nearest to `typed`, "" where none is near."""
    return next(iter(get_close_matches(typed, known, n=1)), "")


def _refuse(argument: str, names: Sequence[str], flags: Sequence[str], overrides: bool) -> str:
    known = [*(f"{name}=..." for name in names), *flags, *(["section.key=value"] if overrides else [])]
    text = (
        f"{argument!r} is none of {', '.join(known)}" if known else f"{argument!r}: nothing stands behind this command"
    )
    name, _, value = argument.partition("=")
    near = nearest(name, [*names, *flags])
    if not near:
        return text
    return f"{text}; did you mean {near}={value}?" if near in names else f"{text}; did you mean {near}?"
