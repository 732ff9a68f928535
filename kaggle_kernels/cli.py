"""Reads a command line of publish.py: VERB key=value ... and the words quantized, --dry-run, --public, --again."""

import re
from dataclasses import dataclass
from pathlib import Path

from shared.task.current import TASK
from shared.task.splits import SPLITS

SUBMIT, WHEELS = Path("kaggle_kernels/submit"), Path("kaggle_kernels/wheels")
ROLES = ("embedder", "reranker")
MODELS = "iter= split= vectors= quantized quantized="
USES = {  # what each verb takes: a key that it would ignore is a mistake at 2 a.m.
    "data": "competition= --dry-run",
    "push-models": f"{MODELS} wait= --dry-run --public --again",
    "push-code": "wait= --dry-run --public --again",
    "push-wheels": "wait= --dry-run --public --again",
    "push-kernel": "iter= split= wait= --dry-run --public --again",
    "kernel-status": "kernel= wait=",
    "submit": "iter= split= competition= wait= --dry-run --again",
    "release": f"{MODELS} competition= wait= --dry-run --public --again",
}
WAITS = {  # seconds
    "push-models": 4 * 3600,
    "push-code": 3600,
    "push-wheels": 4 * 3600,
    "submit": 14 * 3600,
    "release": 14 * 3600,
}
WITH_ITERATION = ("push-models", "push-kernel", "release")


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    verb: str
    iteration: str  # "iter1"; "" where none was named
    split: str
    competition: str
    kernel: str
    wait: float  # seconds
    vectors: str  # a profile to encode the misconceptions with, "skip", or "": the profile of training
    quantized: tuple[str, ...]  # roles of which the quantized model is sent
    dry: bool
    public: bool
    again: bool  # send once more what had no answer

    @property
    def run(self) -> Path:
        return Path("runs") / self.iteration / self.split

    @property
    def tag(self) -> str:
        return self.iteration if self.split == "full" else f"{self.iteration}-{self.split}"


def read_order(arguments: list[str]) -> Order:
    """Raises ValueError for a verb, key or word that it does not take; `--public` counts only when written out."""
    verb, *rest = arguments or [""]
    if verb not in USES:
        raise ValueError(f"{verb!r} is no verb; there are: {', '.join(USES)}")
    values: dict[str, str] = {}
    for text in rest:
        key, equals, value = text.partition("=")
        if key + equals not in USES[verb].split():
            raise ValueError(f"{text!r} is nothing that {verb} takes; it takes {USES[verb].replace('=', '=...')}")
        values[key if equals else text] = value if equals else "yes"
    said = values.get("quantized", "")
    quantized = ROLES if said == "yes" else tuple(said.split(",")) if said else ()
    _check(verb, values, quantized)
    number = values.get("iter", "")
    return Order(
        verb=verb,
        iteration=f"iter{number}" if number.isdecimal() else number,
        split=values.get("split", "full"),
        competition=values.get("competition", TASK.slug),
        kernel=values.get("kernel", "submit"),
        wait=float(values.get("wait", WAITS.get(verb, 0))),
        vectors=values.get("vectors", ""),
        quantized=quantized,
        dry="--dry-run" in values,
        public="--public" in values,
        again="--again" in values,
    )


def _check(verb: str, values: dict[str, str], quantized: tuple[str, ...]) -> None:
    if verb in WITH_ITERATION and not values.get("iter"):
        raise ValueError(f"which iteration? just {verb} iter=1")
    if not re.fullmatch("[a-z0-9-]*", values.get("iter", "")):
        raise ValueError(f"iter={values['iter']!r} is no name of an iteration: say a number, or small letters")
    if not values.get("wait", "0").isdecimal():
        raise ValueError(f"wait={values['wait']!r} is no number of seconds")
    for key, allowed in {"split": SPLITS, "kernel": ("submit", "wheels")}.items():
        if values.get(key, allowed[0]) not in allowed:
            raise ValueError(f"{key}={values[key]}: {key} is one of {', '.join(allowed)}")
    if not set(quantized) <= set(ROLES):
        raise ValueError(f"quantized={values['quantized']}: it is {' or '.join(ROLES)}, or both with a comma between")
