"""Reads a command line of publish.py: VERB key=value ... [--dry-run] [--public]."""

from dataclasses import dataclass
from pathlib import Path

from shared.settings import SPLITS

COMPETITION = "eedi-mining-misconceptions-in-mathematics"
SUBMIT, WHEELS = Path("kaggle_kernels/submit"), Path("kaggle_kernels/wheels")
ROLES = ("embedder", "reranker")
KEYS = {"iter": "", "split": "full", "competition": COMPETITION, "wait": "", "kernel": "submit"}
WAITS = {
    "push-models": 4 * 3600,
    "push-code": 3600,
    "push-wheels": 4 * 3600,
    "kernel-status": 0,
    "submit": 14 * 3600,
    "release": 14 * 3600,
}
VERBS = ("data", "push-models", "push-code", "push-wheels", "push-kernel", "kernel-status", "submit", "release")
WITH_ITERATION = ("push-models", "push-kernel", "release")


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    verb: str
    iteration: str  # "iter1"
    split: str
    competition: str
    kernel: str
    wait: float  # seconds
    dry: bool
    public: bool

    @property
    def run(self) -> Path:
        return Path("runs") / self.iteration / self.split

    @property
    def tag(self) -> str:
        return self.iteration if self.split == "full" else f"{self.iteration}-{self.split}"


def read_order(arguments: list[str]) -> Order:
    """Raises ValueError for a verb, key or option that does not exist; `--public` counts only when written out."""
    verb, *rest = arguments or [""]
    if verb not in VERBS:
        raise ValueError(f"{verb!r} is no verb; there are: {', '.join(VERBS)}")
    values = dict(KEYS)
    for text in rest:
        key, equals, value = text.partition("=")
        if text not in ("--dry-run", "--public") and (not equals or key not in KEYS):
            raise ValueError(f"{text!r} is none of {', '.join(f'{name}=...' for name in KEYS)}, --dry-run, --public")
        values[key] = value
    if verb in WITH_ITERATION and not values["iter"]:
        raise ValueError(f"which iteration? just {verb} iter=1")
    if values["wait"] and not values["wait"].isdecimal():
        raise ValueError(f"wait={values['wait']!r} is no number of seconds")
    if values["split"] not in SPLITS or values["kernel"] not in ("submit", "wheels"):
        known = f"split is one of {', '.join(SPLITS)}; kernel is submit or wheels"
        raise ValueError(f"split={values['split']} kernel={values['kernel']}: {known}")
    iteration = f"iter{values['iter']}" if values["iter"].isdecimal() else values["iter"]
    wait = float(values["wait"] or WAITS.get(verb, 0))
    return Order(
        verb,
        iteration,
        values["split"],
        values["competition"],
        values["kernel"],
        wait,
        "--dry-run" in rest,
        "--public" in rest,
    )
