"""Turns the words behind a verb into a Request: which run, which competition, how long to wait, what to send."""

import re
from dataclasses import dataclass
from pathlib import Path

from shared.prompts.kinds import ROLES
from shared.settings.arguments import Arguments
from shared.settings.command_line import Command
from shared.task.splits import SPLITS

KERNELS = ("submit", "wheels")
DRY_RUN, PUBLIC, AGAIN = "--dry-run", "--public", "--again"


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    verb: str
    iteration: str  # "iter1"; "" where none was named
    split: str
    competition: str
    kernel: str
    wait: float  # seconds
    vectors: str  # a profile to encode the misconceptions with, "skip", or "": the profile of training
    quantized: tuple[str, ...]  # roles of which the quantized model is sent
    dry_run: bool
    public: bool
    again: bool  # send once more what had no answer

    @property
    def run(self) -> Path:
        return Path("runs") / self.iteration / self.split

    @property
    def tag(self) -> str:
        name = self.iteration.replace("@", "-")
        return name if self.split == "full" else f"{name}-{self.split}"


def read_request(verb: Command, said: Arguments) -> Request:
    """Raises ValueError for a value that `verb` does not take; `--public` counts only when written out."""
    options, flags = said.options, said.flags
    _check(options)
    usual = {word.name: word.example for word in verb.words.optional}
    number, beside, name = options.get("iter", "").partition("@")  # demo1@slow is a named run
    iteration = f"iter{number}" if number.isdecimal() else number
    own = _slug(iteration)
    return Request(
        verb=verb.name,
        iteration=f"{iteration}{beside}{name}",
        split=options.get("split", "full"),
        competition=options.get("competition") or own,
        kernel=options.get("kernel", "submit"),
        wait=float(options.get("wait", usual.get("wait", 0))),
        vectors=options.get("vectors", ""),
        quantized=_quantized(options.get("quantized"), "quantized" in flags),
        dry_run=DRY_RUN in flags,
        public=PUBLIC in flags,
        again=AGAIN in flags,
    )


def _check(options: dict[str, str]) -> None:
    if not re.fullmatch("[a-z0-9-]*(@[a-z0-9-]+)?", options.get("iter", "")):
        raise ValueError(f"iter={options['iter']!r} is no name of an iteration: say a number, or small letters")
    if not re.fullmatch("[A-Za-z0-9-]*", options.get("competition", "")):  # it becomes the name of a folder
        raise ValueError(f"competition={options['competition']!r} is no competition's name: see its page's address")
    if not options.get("wait", "0").isdecimal():
        raise ValueError(f"wait={options['wait']!r} is no number of seconds")
    for key, allowed in {"split": SPLITS, "kernel": KERNELS}.items():
        if options.get(key, allowed[0]) not in allowed:
            raise ValueError(f"{key}={options[key]}: {key} is one of {', '.join(allowed)}")


def _quantized(text: str | None, both: bool) -> tuple[str, ...]:
    """The roles named in `text`, or both."""
    if both and text is not None:
        raise ValueError(f"quantized and quantized={text}: say one of them")
    roles = ROLES if both else tuple(text.split(",")) if text else ()
    if not set(roles) <= set(ROLES):
        raise ValueError(f"quantized={text}: it is {' or '.join(ROLES)}, or both with a comma between")
    return roles


def _slug(iteration: str) -> str:
    """The competition of the iteration's task, "" where it has none; from here on the process is about that task.

    Asked for late, since the help of a verb need not wait for polars.
    """
    from shared.settings.load import task_name
    from shared.task.current import use

    return use(task_name(iteration)).slug
