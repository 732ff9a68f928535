"""Carries out one command line and says how it ended: one sentence where it could not be done."""

import os
import sys
from difflib import get_close_matches

import typer
from typer.completion import completion_init

from kaggle_kernels.api.retries import Clock, Lost, Refused
from kaggle_kernels.request import WORDS, Request
from kaggle_kernels.verbs import NAME, app

COMPLETE = "_MALRULE_COMPLETE"  # the variable in which a shell asks for words
STOPPED = 130  # the exit status after Ctrl-C, which is what typer makes of it too


def main(arguments: list[str], clock: Clock) -> int:
    """Carry out one command line; its exit status."""
    name = arguments[0] if arguments else "kaggle_kernels"
    try:
        request = _parse(arguments)
        if isinstance(request, Request):
            from kaggle_kernels.commands import carry_out  # takes long to import

            carry_out(request, clock, say=lambda text: print(text, flush=True))
        return 0 if isinstance(request, Request) else request
    except typer.TyperException as error:
        return _fail(name, error.format_message())
    except (ValueError, Refused, Lost) as error:
        return _fail(name, str(error))
    except OSError as error:
        place = error.filename2 or error.filename or "this machine"  # of a copy: where to
        return _fail(name, f"{place}: {error.strerror or error}")
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return STOPPED


def _parse(arguments: list[str]) -> Request | int:
    """What is asked for, or the exit status of what is done already, such as help. ValueError for an unknown verb."""
    how = {"prog_name": NAME, "complete_var": COMPLETE, "standalone_mode": False}
    if COMPLETE in os.environ:
        completion_init()
        return app([], **how)
    verb = arguments[0] if arguments else ""
    if verb not in WORDS and verb != "--help":
        near = get_close_matches(verb, WORDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{verb!r} is no verb; there are: {', '.join(WORDS)}{hint}")
    return app(arguments, **how)


def _fail(name: str, sentence: str) -> int:
    print(f"{name}: {sentence}", file=sys.stderr)
    return 1
