"""What stands behind a signed address: Google's resumable upload, with everything that can break in it."""

import hashlib
import time
from dataclasses import dataclass, field


class Cut(Exception):
    """The connection breaks here."""


@dataclass
class Fault:
    call: str  # "PUT" or the last part of an RPC's address; "" is any
    skip: int  # calls that go well before it strikes
    kind: str  # see Server.answer and Storage.put
    times: int = 1
    amount: int = 0  # bytes that arrive before a PUT breaks; seconds of Retry-After


@dataclass
class Blob:
    token: str
    name: str
    size: int
    data: bytearray = field(default_factory=bytearray)
    done: bool = False
    used: bool = False
    stored: bytes = b""  # what storage kept, which a lie makes shorter


class Storage:
    def __init__(self) -> None:
        self.blobs: dict[str, Blob] = {}
        self.sent_bytes = 0
        self.anew = 0  # things that happened which make sending a file once more right
        self.stall = None  # an Event that a PUT waits for in its middle
        self.pace = 0.0  # seconds that a megabyte takes

    def begin(self, name: str, size: int) -> str:
        """The token of a new upload."""
        token = f"token-{len(self.blobs)}"
        self.blobs[token] = Blob(token, name, size)
        return token

    def completed(self) -> list[tuple[str, str]]:
        """(name, SHA-256) of each blob that arrived whole."""
        return [(blob.name, hashlib.sha256(blob.data).hexdigest()) for blob in self.blobs.values() if blob.done]

    def put(self, token: str, headers, stream, fault: Fault | None) -> tuple[int, dict]:
        """The answer of storage to one PUT: Google's resumable upload, or a fault in it."""
        blob, length = self.blobs.get(token), int(headers.get("Content-Length", 0))
        kind = fault.kind if fault else ""
        if kind == "gone":
            self.blobs.pop(token, None)
            self.anew += blob is not None
            blob = None
        if blob is None:
            stream.read(length)
            return 404, {}
        if blob.used or blob.done:
            stream.read(length)
            return 200, {}
        reach = headers.get("Content-Range", "")
        if not reach.startswith("bytes */"):
            start = int(reach.removeprefix("bytes ").split("-")[0]) if reach else 0
            assert start <= len(blob.data), f"{blob.name}: bytes from {start} on, {len(blob.data)} are there"
            del blob.data[start:]
            self._receive(blob, stream, length, kind, fault)
        if kind in ("cut", "cut_after"):
            raise Cut
        if len(blob.data) == blob.size:
            blob.done, blob.stored = True, bytes(blob.data)
            if kind == "lie":
                blob.stored, self.anew = blob.stored[:-1], self.anew + 1
        if kind in ("503", "429", "500"):
            return int(kind), {}
        if blob.done:
            return 200, {}
        return 308, {"Range": f"bytes=0-{len(blob.data) - 1}"} if blob.data else {}

    def _receive(self, blob: Blob, stream, length: int, kind: str, fault: Fault | None) -> None:
        keep = min(fault.amount, length) if fault and kind in ("cut", "half", "503") else length
        while keep:
            time.sleep(self.pace * min(keep, 1 << 16) / 1e6)
            block = stream.read(min(keep, 1 << 16))
            if not block:
                raise Cut
            blob.data += block
            self.sent_bytes += len(block)
            keep -= len(block)
            if self.stall and blob.size > 1_000_000 and len(blob.data) > blob.size // 2:
                self.stall["reached"].set()
                self.stall["go"].wait(20)
        if kind == "half":
            stream.read(length - min(fault.amount, length))
