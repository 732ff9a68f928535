"""Turns the words behind a verb into a Request: which run, which competition, how long to wait, what to send."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.settings.arguments import read_arguments
from shared.task.splits import SPLITS

ROLES = ("embedder", "reranker")
KERNELS = ("submit", "wheels")
DRY_RUN, PUBLIC, AGAIN = "--dry-run", "--public", "--again"
MODELS = ("iter=", "split=", "vectors=", "quantized=", "quantized")
WORDS = {  # what each verb takes: a word that it would ignore is a mistake at 2 a.m.
    "data": ("competition=", DRY_RUN),
    "push-models": (*MODELS, "wait=", DRY_RUN, PUBLIC, AGAIN),
    "push-code": ("wait=", DRY_RUN, PUBLIC, AGAIN),
    "push-wheels": ("wait=", DRY_RUN, PUBLIC, AGAIN),
    "push-kernel": ("iter=", "split=", "wait=", DRY_RUN, PUBLIC, AGAIN),
    "kernel-status": ("kernel=", "wait="),
    "submit": ("iter=", "split=", "competition=", "wait=", DRY_RUN, AGAIN),
    "release": (*MODELS, "competition=", "wait=", DRY_RUN, PUBLIC, AGAIN),
}
WAIT_SECONDS = {
    "push-models": 4 * 3600,
    "push-code": 3600,
    "push-wheels": 4 * 3600,
    "submit": 14 * 3600,
    "release": 14 * 3600,
}
WITH_ITERATION = ("push-models", "push-kernel", "release")


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
        return self.iteration if self.split == "full" else f"{self.iteration}-{self.split}"


def read_request(verb: str, words: Sequence[str]) -> Request:
    """Raises ValueError for a word or value that `verb` does not take; `--public` counts only when written out."""
    names = [word.removesuffix("=") for word in WORDS[verb] if word.endswith("=")]
    arguments = read_arguments(words, names, flags=[word for word in WORDS[verb] if not word.endswith("=")])
    options, flags = arguments.options, arguments.flags
    _check(verb, options)
    number = options.get("iter", "")
    return Request(
        verb=verb,
        iteration=f"iter{number}" if number.isdecimal() else number,
        split=options.get("split", "full"),
        competition=options.get("competition") or _slug(),
        kernel=options.get("kernel", "submit"),
        wait=float(options.get("wait", WAIT_SECONDS.get(verb, 0))),
        vectors=options.get("vectors", ""),
        quantized=_quantized(options.get("quantized"), "quantized" in flags),
        dry_run=DRY_RUN in flags,
        public=PUBLIC in flags,
        again=AGAIN in flags,
    )


def _check(verb: str, options: dict[str, str]) -> None:
    if verb in WITH_ITERATION and not options.get("iter"):
        raise ValueError(f"which iteration? just {verb} iter=1")
    if not re.fullmatch("[a-z0-9-]*", options.get("iter", "")):
        raise ValueError(f"iter={options['iter']!r} is no name of an iteration: say a number, or small letters")
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


def _slug() -> str:
    """The task's competition; asked for late, since the help of a verb need not wait for polars."""
    from shared.task.current import TASK

    return TASK.slug
