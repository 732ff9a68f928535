"""Runs each stage in a process of its own, which gives back all the memory that it took.

The processes are forked from a server that has imported torch, transformers and peft, and has called nothing of theirs.
So a stage begins at once, and what one leaves behind in a library cannot disturb the next. None of our own modules is
imported there: a stage reads the code as it is when it begins.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable

from inference.engines.quiet import hush_libraries
from shared.artifacts.disk import sentence_of

MODULES = ["torch", "transformers", "peft"]
STOP_SECONDS = 35  # torchrun gives its workers 30 to end.


def run_in_process(work: Callable[..., None], *arguments: object) -> int:
    """Call `work` with `arguments` in a process of its own; its exit status.

    It is 2, and a sentence says why, for a ValueError and for what the disk refused. Raises ValueError where a signal
    ended it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    process = context.Process(target=_run, args=(work, *arguments))
    process.start()
    try:
        process.join()
    except KeyboardInterrupt:  # Ctrl-C reaches the other process too, a signal to this one alone does not
        process.join(STOP_SECONDS)
        process.terminate()
        raise
    assert process.exitcode is not None
    if process.exitcode < 0:
        raise ValueError(
            f"signal {-process.exitcode} ended the stage (9: usually there was no memory left); "
            "repeat the command to go on"
        )
    return process.exitcode


def _run(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    hush_libraries()
    try:
        work(*arguments)
    except KeyboardInterrupt:
        sys.exit(130)  # the process that started this one says so
    except Exception as error:
        if not (text := sentence_of(error)):
            raise
        print(f"error: {text}", file=sys.stderr, flush=True)
        sys.exit(2)


def _end_with_parent() -> None:
    """End this process once the one that asked for it is gone: the system would watch over the server alone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
