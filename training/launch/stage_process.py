"""Runs each stage in a process of its own, which gives back all the memory that it took.

The processes are forked from one server that has imported torch, transformers and peft and nothing else has happened
in: a stage starts at once, and what one leaves behind in a library cannot disturb the next.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable

MODULES = ["torch", "transformers", "peft"]


def run_in_process(work: Callable[..., None], *arguments: object) -> int:
    """Call `work` with `arguments` in a process of its own; its exit status: 0, and 2 for a ValueError, which is said.

    The module of `work` is imported by the server too, so nothing may happen on its import.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*MODULES, work.__module__])
    process = context.Process(target=_run, args=(work, *arguments))
    process.start()
    process.join()
    return process.exitcode or 0


def _run(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(*arguments)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)  # the process that started this one got it too, and says so


def _end_with_parent() -> None:
    """End this process once the one that asked for it is gone: the system would watch over the server alone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
