"""The command line of training: runs one command, or one stage of a run folder; one sentence says what is wrong."""

from collections.abc import Callable
from functools import cache
from typing import Annotated

import typer

from inference.engines.quiet import hush_libraries
from shared.settings.command_line import exit_status
from training.machine_commands import app

Folder = Annotated[str, typer.Argument(metavar="RUN", help="The run folder, such as runs/iter1/cv.")]


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status: 2 for what a person got wrong, 130 for Ctrl-C."""
    hush_libraries()
    return exit_status(lambda: _run(arguments), "error", 2)


def _run(arguments: list[str]) -> int:
    if arguments and arguments[0].replace("_", "-") not in app.names:
        _declare_stages()
    return app.run(arguments)


@cache
def _declare_stages() -> None:
    """Make a command of every stage. Only when one may be asked for: to import them takes polars."""
    from training.pipeline.stages import STAGES

    for stage in STAGES.values():
        name, short = stage.name.replace("_", "-"), f"{stage.meaning[0].upper()}{stage.meaning[1:]}."
        more = "It is brought up to date alone; the stages before it have to be there."
        text = f"{short}\n\n{more}\n\n\b\nExample:\n  {app.name} {name} runs/iter1/cv"
        app.typer.command(name, help=text, short_help=short)(_stage_command(stage.name))
    app.typer.command("worker", hidden=True)(_work)


def _stage_command(name: str) -> Callable[[str], int]:
    def run_one(folder: Folder) -> int:
        from training.pipeline.run_stage import run_stage
        from training.run_folder.names import run_folder

        run_stage(name, run_folder(folder))
        return 0

    return run_one


def _work(name: str, folder: str, fingerprint: str) -> int:
    """Run a stage in a process that torchrun started."""
    from training.pipeline.run_stage import work
    from training.run_folder.names import run_folder

    work(name, run_folder(folder), fingerprint)
    return 0
