"""Makes command lines whose commands take words, name=value: their help, their reading, their completion, their end."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature, cleandoc
from typing import Annotated, Any

import typer
from typer.completion import completion_init

from shared.artifacts.disk import sentence_of
from shared.settings.arguments import Arguments, nearest, read_arguments

COMPLETE = "_MALRULE_COMPLETE"  # the variable in which training/completion.bash asks for words
STOPPED = 130  # what typer makes of Ctrl-C, as shells do
WIDTH = {"max_content_width": 120}  # columns of the help, where the terminal has so many


@dataclass(frozen=True)
class Word:
    """A word behind a command: name=value, or, where it has no example, the name alone, as quantized and --public."""

    name: str
    example: str
    meaning: str
    values: Callable[[], Iterable[str]] = tuple  # what a shell offers behind name=
    missing: str = ""  # the sentence where a command needs the word and it was not said

    @property
    def shown(self) -> str:
        return f"{self.name}={self.example}" if self.example else self.name


def _iterations() -> list[str]:
    from shared.settings.load import ITERATIONS

    return sorted(re.sub(r"^iter(?=\d+$)", "", path.parent.name) for path in ITERATIONS.glob("*/params.toml"))


ITER = Word(
    "iter",
    "1",
    "the iteration: a number, or the name of a folder of training/iterations",
    _iterations,
    "say which iteration: iter=1, or iter=small1 for a folder of training/iterations",
)
OVERRIDE = Word("section.key", "value", "a setting of params.toml that gets another value; say as many as you like")


@dataclass(frozen=True)
class CommandWords:
    """The words of a command: those that it needs, and those that may be left out."""

    needed: tuple[Word, ...] = ()
    optional: tuple[Word, ...] = ()
    overrides: bool = False  # whether section.key=value may be said too
    first: str = ""  # the word that may be said without its name, in front of all others

    @property
    def options(self) -> list[Word]:
        """Those that typer reads and lists by itself, such as --public."""
        return [word for word in self.optional if word.name.startswith("--")]

    @property
    def meanings(self) -> str:
        """A line for every other word, with what it means; what may be left out stands in brackets."""
        lines = [(word.shown, word) for word in self.needed]
        lines += [(f"[{word.shown}]", word) for word in self.optional if word not in self.options]
        lines += [(f"[{OVERRIDE.shown} ...]", OVERRIDE)] if self.overrides else []
        return "\n".join(f"  {shown:<23} {word.meaning}" for shown, word in lines) or "  none"

    def read(self, typed: Sequence[str]) -> Arguments:
        """Sort what was typed. ValueError for a word that is none of these, with the nearest, and for a missing one."""
        words = (*self.needed, *self.optional)
        if self.first and typed and "=" not in typed[0] and not typed[0].startswith("--"):
            typed = [f"{self.first}={typed[0]}", *typed[1:]]
        names, flags = [word.name for word in words if word.example], [word.name for word in words if not word.example]
        said = read_arguments(typed, names, flags=flags, overrides=self.overrides)
        if missing := [word.missing for word in self.needed if not said.options.get(word.name)]:
            raise ValueError(missing[0])
        return said

    def complete(self, context: typer.Context, incomplete: str) -> list[str]:
        """The words that begin with `incomplete`: the names that are not said yet, or the values of a name."""
        name, equals, _ = incomplete.partition("=")
        words = [word for word in (*self.needed, *self.optional) if word not in self.options]
        if equals:
            known = [word for word in words if word.name == name and word.example]
            return [f"{name}={value}" for word in known for value in word.values()]
        said = [word.partition("=")[0] for word in context.params.get("typed") or ()]
        return [f"{word.name}=" if word.example else word.name for word in words if word.name not in said]


@dataclass(frozen=True)
class Command:
    """What a command line says of one of its commands; `example` is what an example has behind the name."""

    name: str
    help: str
    example: str = ""
    words: CommandWords = CommandWords()


class CommandLine:
    """A program such as `python -m training`, which calls its commands `noun`; `others` are named if none is near."""

    def __init__(self, name: str, help: str, noun: str, others: Callable[[], str]) -> None:
        self.name, self.noun, self.others = name, noun, others
        self.typer = typer.Typer(
            add_completion=False,  # typer's own is for a program that is installed; a shell asks in COMPLETE
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
            context_settings=WIDTH,
            help=help,
        )

    @property
    def names(self) -> list[str]:
        return [command.name for command in self.typer.registered_commands]

    def command(self, words: CommandWords = CommandWords(), example: str = "") -> Callable:
        """Make a command of a function that takes the sorted words; its docstring is the help."""

        def declare(carry_out: Callable[[Arguments], int]) -> Callable[[Arguments], int]:
            name = carry_out.__name__.replace("_", "-")
            self.declare(Command(name, carry_out.__doc__, example, words), carry_out)
            return carry_out

        return declare

    def declare(self, command: Command, carry_out: Callable[[Arguments], Any]) -> None:
        """Let `carry_out` have the sorted words of `command`; run() returns what it returns."""

        def read_and_carry_out(typed: list[str] | None = None, **options: bool) -> Any:
            said = [f"--{name.replace('_', '-')}" for name, given in options.items() if given]
            return carry_out(command.words.read([*(typed or ()), *said]))

        read_and_carry_out.__signature__ = Signature(_parameters(command.words))  # what typer makes its options of
        example = f"\b\nExample:\n  {self.name} {command.name} {command.example}".rstrip()
        text = f"{cleandoc(command.help)}\n\n\b\nWords:\n{command.words.meanings}\n\n{example}"
        # Unknown --options reach read_arguments, which refuses them with the nearest word.
        how = {"ignore_unknown_options": True, **WIDTH}
        self.typer.command(command.name, help=text, context_settings=how)(read_and_carry_out)

    def run(self, arguments: Sequence[str]) -> Any:
        """What the command returns, or the exit status of what typer does, such as help.

        Raises ValueError for an unknown command, naming the nearest one.
        """
        how = {"prog_name": self.name, "complete_var": COMPLETE, "standalone_mode": False}
        if COMPLETE in os.environ:
            completion_init()
            return self.typer([], **how)
        if not arguments:
            raise ValueError(f"say what to do; {self.name} --help lists the {self.noun}s")
        name = arguments[0].replace("_", "-")
        if name not in (*self.names, "--help"):
            near = nearest(name, self.names)
            hint = f"did you mean {near}?" if near else f"{self.others()};"
            raise ValueError(f"{arguments[0]!r} is no {self.noun}; {hint} {self.name} --help lists all {self.noun}s")
        return self.typer([name, *arguments[1:]], **how)


def _parameters(words: CommandWords) -> list[Parameter]:
    argument = typer.Argument(metavar="WORD", hidden=True, autocompletion=words.complete)
    kinds = {"typed": (Annotated[list[str] | None, argument], None)}
    for word in words.options:
        option = typer.Option(word.name, help=word.meaning)
        kinds[word.name.removeprefix("--").replace("-", "_")] = Annotated[bool, option], False
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in kinds.items()
    ]


def exit_status(act: Callable[[], int], label: str, wrong: int, *errors: type[Exception]) -> int:
    """What `act` returns: the exit status of a command line.

    It is `wrong`, with one sentence behind `label` on standard error, for what a person got wrong, that is a ValueError
    or one of `errors`, and for what the disk refused; 130 and a sentence for Ctrl-C.
    """
    try:
        status = act()
    except KeyboardInterrupt:
        status = STOPPED
    except Exception as error:
        if not (text := _sentence(error, errors)):
            raise
        print(f"{label}: {text}", file=sys.stderr, flush=True)
        return wrong
    if status == STOPPED:
        print("stopped; the same command goes on from here", file=sys.stderr)
    return status


def _sentence(error: Exception, errors: tuple[type[Exception], ...]) -> str:
    """What is said of an error in one sentence; "" where it is a fault of ours, which shows where it came from."""
    if isinstance(error, typer.TyperException):
        return error.format_message()
    if text := sentence_of(error):
        return text
    if isinstance(error, OSError) and isinstance(error, errors):
        place = error.filename2 or error.filename or "this machine"  # of a copy: where to
        return f"{place}: {error.strerror or error}"
    return str(error) if isinstance(error, errors) else ""
