"""The command line of training: runs one command, or one stage of a run folder; one sentence says what is wrong."""

import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from typing import Annotated

import typer
from typer.completion import completion_init

from inference.engines.quiet import hush_libraries
from training.commands import app
from training.words import NAME

COMPLETE = "_MALRULE_COMPLETE"  # the variable in which training/completion.bash asks for words
STOPPED = 130  # what typer makes of Ctrl-C, as shells do
Folder = Annotated[str, typer.Argument(metavar="RUN", help="The run folder, such as runs/iter1/cv.")]


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status.

    2 and one sentence on standard error for what a person got wrong, 130 and a sentence for Ctrl-C.
    """
    hush_libraries()
    try:
        status = _run(arguments)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except typer.TyperException as error:
        print(f"error: {error.format_message()}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        status = STOPPED
    if status == STOPPED:
        print("stopped; repeat the command to go on where it was", file=sys.stderr)
    return status


def _run(arguments: list[str]) -> int:
    how = {"prog_name": NAME, "complete_var": COMPLETE, "standalone_mode": False}
    if COMPLETE in os.environ:
        completion_init()
        return app([], **how)
    if not arguments:
        raise ValueError(f"say what to do; {NAME} --help lists the commands")
    name = arguments[0].replace("_", "-")
    if name not in _commands():
        _declare_stages()
    if name not in (*_commands(), "--help"):
        raise ValueError(_refuse(arguments[0], name))
    return app([name, *arguments[1:]], **how)


def _commands() -> list[str]:
    return [command.name for command in app.registered_commands]


def _refuse(typed: str, name: str) -> str:
    from training.pipeline.stages import STAGES

    near = get_close_matches(name, _commands(), n=1)
    hint = f"did you mean {near[0]}?" if near else f"the stages are: {', '.join(STAGES)};"
    return f"{typed!r} is no command; {hint} {NAME} --help lists all commands"


@cache
def _declare_stages() -> None:
    """Make a command of every stage. Only when one may be asked for: to import them takes polars."""
    from training.pipeline.stages import STAGES

    for stage in STAGES.values():
        name, short = stage.name.replace("_", "-"), f"{stage.meaning[0].upper()}{stage.meaning[1:]}."
        more = "It is brought up to date alone; the stages before it have to be there."
        text = f"{short}\n\n{more}\n\n\b\nExample:\n  {NAME} {name} runs/iter1/cv"
        app.command(name, help=text, short_help=short)(_stage_command(stage.name))
    app.command("all")(_run_all)
    app.command("worker", hidden=True)(_work)


def _stage_command(name: str) -> Callable[[str], int]:
    def run_one(folder: Folder) -> int:
        from training.pipeline.run_stage import run_stage
        from training.run_folder.names import run_folder

        run_stage(name, run_folder(folder))
        return 0

    return run_one


def _run_all(folder: Folder) -> int:
    """Run every stage of one run folder.

    Those that are up to date are skipped. The runs of the iterations before it have to be there.

    \b
    Example:
      python -m training all runs/iter1/cv
    """
    from shared.settings.load import read_settings
    from training.pipeline.run_stage import run_stage
    from training.pipeline.stages import stages_of
    from training.run_folder.names import run_folder

    run = run_folder(folder)
    for stage in stages_of(run.name, read_settings(run).iteration.previous):
        run_stage(stage.name, run)
    return 0


def _work(name: str, folder: str, fingerprint: str) -> int:
    """Run a stage in a process that torchrun started."""
    from training.pipeline.run_stage import work
    from training.run_folder.names import run_folder

    work(name, run_folder(folder), fingerprint)
    return 0
