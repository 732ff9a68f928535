"""Keeps every text that was ever written in one file that only grows, under the digest of what it was written from.

A line is a checksum and a text. A kill while a line is written leaves a torn last one, which the next start takes
away, so that its text is written again; whatever was whole stays.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from shared.artifacts.disk import naming
from shared.artifacts.files import sync
from shared.artifacts.locks import locked

FILE = "texts.jsonl"
CHECKED = 16  # hex digits of a line's SHA-256 in front of it


def digest_of(*parts: object) -> str:
    """32 hex digits that stand for these parts (anything that JSON can say)."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@contextmanager
def open_store(folder: Path, wait_seconds: float = 0.0) -> Iterator["TextStore"]:
    """The texts in `folder`, for this process alone.

    Raises ValueError where another one still writes there after `wait_seconds`.
    """
    message = f"another process writes texts to {folder}: wait for it, or name another folder"
    with locked(folder / ".lock", message, wait_seconds), open(folder / FILE, "a+b", buffering=0) as file:
        with suppress(OSError):  # some network file systems cannot say so of a folder
            sync(folder)  # the name of the file, too, is to outlive a loss of power
        yield TextStore(folder / FILE, file)


class TextStore:
    """Texts as dictionaries, each under its digest ("id")."""

    def __init__(self, path: Path, file: FileIO):
        self.path, self.file, self.texts, self.whole = path, file, {}, 0  # bytes of whole lines
        self._read()

    def __contains__(self, id_: str) -> bool:
        return id_ in self.texts

    def __getitem__(self, id_: str) -> dict:
        return self.texts[id_]

    def append(self, texts: Sequence[dict]) -> None:
        """Keep these; when this returns, a loss of power takes none of them."""
        for text in texts:
            assert text["id"] not in self.texts, text["id"]
        lines = b"".join(map(_line, texts))
        with naming(self.path):
            try:
                self._write(lines)
            except OSError:  # a full disk: what came after half a line would be damaged, not torn
                self.file.truncate(self.whole)
                raise
        self.whole += len(lines)
        self.texts |= {text["id"]: text for text in texts}

    def _write(self, lines: bytes) -> None:
        left = memoryview(lines)
        while left:
            left = left[self.file.write(left) :]
        os.fsync(self.file.fileno())

    def _read(self) -> None:
        self.file.seek(0)
        lines = self.file.read().splitlines(keepends=True)
        for number, line in enumerate(lines):
            text = _text_of(line)
            if text is None and number + 1 == len(lines):
                self.file.truncate(self.whole)
                return
            if text is None:
                raise ValueError(
                    f"{self.path}, line {number + 1} is damaged: delete that line, and its text is written again"
                )
            self.texts[text["id"]] = text
            self.whole += len(line)


def _line(text: dict) -> bytes:
    body = json.dumps(text, sort_keys=True, separators=(",", ":")).encode()  # ASCII: no line break of Unicode's
    return b"%s %s\n" % (_checksum(body), body)


def _text_of(line: bytes) -> dict | None:
    """None for a line that is not as it was written."""
    checksum, _, body = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != _checksum(body):
        return None
    return json.loads(body)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:CHECKED].encode()
