"""Reads the plans of experiments: files in plans/, each a set of arms that differ in their settings.

A plan says `iteration`, `until` (the last stage), `data` (a folder beside the others), `splits`, `seeds`, `words` that
every arm gets, `blank` (a share of rationales that are hidden in one more evaluation), and `[arms]`: a name, and what
is said on the command line for it. The first arm is what the others are compared with.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.task.splits import DRAWS

FOLDER = Path(__file__).parent / "plans"


class Plan(BaseModel):
    """An experiment. An arm's words may name another iteration with `iter=NAME`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    iteration: str = "explained0"
    until: Literal["evaluate", "train_embedder"] = "evaluate"
    data: str = "eedi"
    splits: tuple[str, ...] = DRAWS
    seeds: tuple[str, ...] = ("train",)
    words: tuple[str, ...] = ()
    blank: Annotated[float, Field(ge=0, lt=1)] = 0.0
    arms: dict[str, tuple[str, ...]]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        """Two arms with one name of a run would be given one result."""
        slugs = [slug(arm) for arm in self.arms]
        if twice := [arm for arm in self.arms if slugs.count(slug(arm)) > 1]:
            raise ValueError(f"the arms {' and '.join(twice)} have the same name as runs")
        return self


def read_plan(name: str) -> Plan:
    """The plan in plans/NAME.toml. Raises ValueError where there is none."""
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        raise ValueError(f"there is no plan {name!r}; there are: {', '.join(sorted(p.stem for p in FOLDER.glob('*')))}")
    return Plan(name=name, **tomllib.loads(path.read_text(encoding="utf-8")))


def result_path(out: Path, plan: Plan, arm: str, split: str, seed: str) -> Path:
    """What the names of an arm's results begin with."""
    return out / plan.name / f"{slug(arm)}.{split}.{seed}"


def slug(arm: str) -> str:
    """The arm's name as that of a run."""
    return "-".join("".join(c if c.isalnum() else " " for c in arm.lower()).split())[:40]
