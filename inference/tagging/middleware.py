"""What stands around every request: a limit on the size of its body, and what is measured of it."""

import json
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """What the service counts of itself, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        here = {"registry": self.registry}
        self.requests = Counter("malrule_requests", "Requests by path and status.", ["path", "status"], **here)
        self.rows = Counter("malrule_rows", "Rows that were tagged.", **here)
        self.absent = Counter("malrule_rows_absent", "Rows that are probably not in the catalogue.", **here)
        self.seconds = Histogram("malrule_request_seconds", "Seconds of a request.", ["path"], **here)
        sizes = {"buckets": [2**power for power in range(11)]}
        self.batches = Histogram("malrule_batch_rows", "Rows that were computed together.", **sizes, **here)
        self.waiting = Gauge("malrule_rows_waiting", "Rows that wait to be tagged.", **here)
        self.entries = Gauge("malrule_catalogue_entries", "Entries of the catalogue.", **here)


class Measure:
    """An ASGI middleware that counts requests by route and status, and their seconds."""

    def __init__(self, app: Any, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500  # of a request that nobody answered

        async def note(message: dict) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            path = getattr(scope.get("route"), "path", "other")  # a path that is no route gets no label of its own
            self.metrics.requests.labels(path, str(status)).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - began)


class LimitBody:
    """An ASGI middleware: 413 for a body of more than `most` bytes, of which no more is kept in memory."""

    def __init__(self, app: Any, most: int):
        self.app, self.most = app, most

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.most:
            await self._refuse(send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.most:
                await self._refuse(send)
                return
        await self.app(scope, _replay(bytes(body), receive), send)

    async def _refuse(self, send: Any) -> None:
        content = json.dumps({"error": f"the body is larger than {self.most} bytes: send fewer rows"}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        headers.append((b"connection", b"close"))  # the rest of the body is not read
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _replay(body: bytes, receive: Any) -> Any:
    """What gives the whole body once, and then whatever the server says, such as that the client has gone."""
    given = False

    async def give() -> dict:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
