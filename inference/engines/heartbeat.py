"""Tells whoever started this process, four times a second, that it lives and what it has come to.

A process that is stopped, or whose machine is, says nothing any more, while those that wait for it go on to say so.
"""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ADDRESS = "MALRULE_HEARTBEATS"  # the variable with the path of the socket that listens
SECONDS = 0.25  # between two signs of life
_reached = {"count": 0, "step": "its start"}


def reached(step: str) -> None:
    """Say that the work has come to `step`."""
    _reached.update(count=_reached["count"] + 1, step=step)


@contextmanager
def heartbeat(rank: int) -> Iterator[None]:
    """Inside, the signs of life go out, where somebody listens."""
    address, ended = os.environ.get(ADDRESS), threading.Event()
    if address is None:
        yield
        return
    thread = threading.Thread(target=_beat, args=(address, rank, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(address: str, rank: int, ended: threading.Event) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        while True:
            message = {"rank": rank, "pid": os.getpid(), **_reached, "ended": ended.is_set()}
            with suppress(OSError):  # nobody listens at the moment
                sender.sendto(json.dumps(message).encode(), address)
            if message["ended"]:
                return
            ended.wait(SECONDS)
