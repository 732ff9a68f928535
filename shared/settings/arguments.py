"""Reads what stands behind a command: name=value, section.key=value and flags; what it does not know is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches


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
    options, said, given = {}, [], set()
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if overrides and equals and "." in name:
            said.append(argument)
        elif equals and name in names:
            if options.setdefault(name, value) != value:
                raise ValueError(f"{name}={options[name]} and {argument}: say it once")
        elif argument in flags:
            given.add(argument)
        else:
            raise ValueError(_refuse(argument, names, flags, overrides))
    return Arguments(options, tuple(said), frozenset(given))


def _refuse(argument: str, names: Sequence[str], flags: Sequence[str], overrides: bool) -> str:
    known = [*(f"{name}=..." for name in names), *flags, *(["section.key=value"] if overrides else [])]
    text = (
        f"{argument!r} is none of {', '.join(known)}" if known else f"{argument!r}: nothing stands behind this command"
    )
    name, _, value = argument.partition("=")
    near = get_close_matches(name, [*names, *flags], n=1)
    if not near:
        return text
    return f"{text}; did you mean {near[0]}={value}?" if near[0] in names else f"{text}; did you mean {near[0]}?"
