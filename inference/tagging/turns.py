"""Lets threads take turns at an engine that answers one at a time; who is in a hurry goes before all that wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock with two kinds of waiting: an edit must not wait behind every batch of a long queue."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken, self._hurrying = False, 0

    @contextmanager
    def take(self, *, hurry: bool = False) -> Iterator[None]:
        """Hold the engine inside; nobody else does."""
        with self._changed:
            self._hurrying += hurry
            self._changed.wait_for(lambda: not self._taken and (hurry or not self._hurrying))
            self._hurrying -= hurry
            self._taken = True
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()
