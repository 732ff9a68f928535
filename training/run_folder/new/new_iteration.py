"""Makes the folder of a new iteration from another one's: what is copied works as it is, and is then changed."""

import re
from pathlib import Path

from shared.artifacts.files import replacing_folder
from shared.settings.load import ITERATIONS, load_settings
from training.run_folder.names import iteration_name

NAME = re.compile("[a-z][a-z0-9-]{0,39}")  # Kaggle takes no other letters into the name of a dataset
PREVIOUS = re.compile(r'^previous\s*=\s*"[^"]*"', re.MULTILINE)
NUMBER = re.compile(r"(.*?)(\d+)")


def new_iteration(text: str, source: str, previous: str = "") -> Path:
    """Write training/iterations/`text`/params.toml, a copy of `source`'s, and return it.

    The iteration before the new one is `previous`; without it that is `source` where the new name counts one further
    (iter1, iter2) and the source is no first iteration, and else the one before the source. Raises ValueError for a
    name that is taken or none, for a source that there is not, and for a `previous` of a first iteration.
    """
    name, source = f"iter{text}" if text.isdecimal() else text, iteration_name(source)
    folder = ITERATIONS / name
    if not NAME.fullmatch(name):
        raise ValueError(f"iter={text}: a name is made of small letters, digits and dashes, and begins with a letter")
    if folder.exists():
        raise ValueError(f"{folder} is there already: take another name")
    before = load_settings(source).iteration.previous
    if previous and not before:
        raise ValueError(f"{source} is a first iteration, with a [miner] and without a previous one: copy a later one")
    before = iteration_name(previous) if previous else _before(name, source, before)
    copied = (ITERATIONS / source / "params.toml").read_text(encoding="utf-8")
    with replacing_folder(folder) as partial:
        (partial / "params.toml").write_text(_edit(copied, name, source, before), encoding="utf-8")
    load_settings(name)  # what was copied is sound
    return folder / "params.toml"


def _before(name: str, source: str, before: str) -> str:
    one, other = NUMBER.fullmatch(source), NUMBER.fullmatch(name)
    follows = one and other and one[1] == other[1] and int(other[2]) == int(one[2]) + 1
    return source if before and follows else before


def _edit(text: str, name: str, source: str, before: str) -> str:
    """The copied text, with a first line of its own and with `before` as the previous iteration."""
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith("#"):  # what the source said of itself
        lines.pop(0)
    kind = f"after {before}" if before else "a first iteration"
    head = f"# {name}, {kind}, made from {source}: say here what it tries.\n"
    return head + PREVIOUS.sub(f'previous = "{before}"', "".join(lines), count=1)
