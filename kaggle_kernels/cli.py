"""Carries out one command line and says how it ended: one sentence where it could not be done."""

from kaggle_kernels.api.retries import Clock, Lost, Refused
from kaggle_kernels.request import Request
from kaggle_kernels.verbs import app
from shared.settings.command_line import exit_status


def main(arguments: list[str], clock: Clock) -> int:
    """Carry out one command line; its exit status."""
    name = arguments[0] if arguments else "kaggle_kernels"
    return exit_status(lambda: _carry_out(arguments, clock), name, 1, Refused, Lost, OSError)


def _carry_out(arguments: list[str], clock: Clock) -> int:
    request = app.run(arguments)
    if not isinstance(request, Request):
        return request
    from kaggle_kernels.commands import carry_out  # takes long to import

    carry_out(request, clock, say=lambda text: print(text, flush=True))
    return 0
