"""Makes commands of functions that take words, name=value: their help, their reading, their completion."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Annotated

import typer

from shared.settings.arguments import Arguments, read_arguments
from shared.task.splits import DRAWS, SPLITS

NAME = "python -m training"
WIDTH = {"max_content_width": 120}  # columns of the help, where the terminal has so many
ROLES = ("embedder", "reranker")
OVERRIDE = "section.key=value"
MEANINGS = {
    "iter": "the iteration: a number, or the name of a folder of training/iterations",
    "split": f"what is held out for validation: {', '.join(SPLITS)}",
    "stage": "the name of one stage; without it the whole run is meant",
    "draws": f"how many of the draws {', '.join(DRAWS)} are taken",
    "a": "a run folder, or an iteration for all its draws; :bm25 behind it takes that ranking instead of the reranked",
    "b": "the same for the other side",
    "pool": "the misconceptions that compete: labelled or catalogue",
    "public": "the public score, from 0 to 1",
    "private": "the private score, from 0 to 1",
    "scheme": "how the weights are stored: awq, gptq or fp8",
    "role": f"which model: {' or '.join(ROLES)}; without it both",
    "path": "the folder that holds the files",
    "questions": "how many questions are generated, at least 40",
    OVERRIDE: "a setting of params.toml that gets another value; say as many as you like",
}


@dataclass(frozen=True)
class Words:
    """The words of a command: {name: an example} of those that it needs and of those that may be left out."""

    needed: dict[str, str] = field(default_factory=dict)
    optional: dict[str, str] = field(default_factory=dict)
    overrides: bool = False  # whether section.key=value may be said too

    @property
    def meanings(self) -> str:
        """A line for every word, with what it means; what may be left out stands in brackets."""
        lines = [(f"{name}={example}", name) for name, example in self.needed.items()]
        lines += [(f"[{name}={example}]", name) for name, example in self.optional.items()]
        lines += [(f"[{OVERRIDE} ...]", OVERRIDE)] if self.overrides else []
        return "\n".join(f"  {word:<23} {MEANINGS[name]}" for word, name in lines)

    def read(self, typed: Sequence[str]) -> Arguments:
        """Sort what was typed. Raises ValueError for a word that is none of these, naming the nearest one."""
        return read_arguments(typed, (*self.needed, *self.optional), overrides=self.overrides)

    def complete(self, context: typer.Context, incomplete: str) -> list[str]:
        """The words that begin with `incomplete`: the names that are not said yet, or the values of a name."""
        name, equals, _ = incomplete.partition("=")
        names = (*self.needed, *self.optional)
        if equals:
            return [f"{name}={value}" for value in (_values(name) if name in names else ())]
        said = [word.partition("=")[0] for word in context.params.get("typed") or ()]
        return [f"{name}=" for name in names if name not in said]


def command(app: typer.Typer, words: Words = Words(), example: str = "") -> Callable:
    """Make a command of a function that takes the sorted words; its docstring is the help."""

    def declare(carry_out: Callable[[Arguments], int]) -> Callable[[Arguments], int]:
        def read_and_carry_out(
            typed: Annotated[
                list[str] | None, typer.Argument(metavar="WORD", hidden=True, autocompletion=words.complete)
            ] = None,
        ) -> int:
            return carry_out(words.read(typed or ()))

        name = carry_out.__name__.replace("_", "-")
        meanings = f"\b\nWords:\n{words.meanings or '  none'}"
        shown = f"\b\nExample:\n  {NAME} {name} {example}".rstrip()
        # an option that is none becomes a word, so that it is refused as words are
        how = {"ignore_unknown_options": True, **WIDTH}
        text = f"{cleandoc(carry_out.__doc__)}\n\n{meanings}\n\n{shown}"
        app.command(name, help=text, context_settings=how)(read_and_carry_out)
        return carry_out

    return declare


def _values(name: str) -> Sequence[str]:
    """The values that a shell offers behind `name=`."""
    if name == "iter":
        from shared.settings.load import ITERATIONS

        return sorted(re.sub(r"^iter(?=\d+$)", "", path.parent.name) for path in ITERATIONS.glob("*/params.toml"))
    if name == "stage":
        from training.pipeline.stages import STAGES

        return tuple(STAGES)
    draws = [str(number) for number in range(1, len(DRAWS) + 1)]
    fixed = {"split": SPLITS, "draws": draws, "role": ROLES, "scheme": ("awq", "gptq", "fp8")}
    return {**fixed, "pool": ("labelled", "catalogue")}.get(name, ())
