"""Remembers vectors on disk by what they were made from, so that a second run encodes only what changed.

A vector's key is the SHA-256 of its prompt's token ids, in a folder named for the digest of the model. Every write is a
new file with keys, vectors and their checksum, complete or absent: writers need no lock, and a kill loses what was not
yet written.
"""

import hashlib
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from inference.engines.answers import answered
from inference.engines.protocols import Encoder
from inference.fusion.calibration import CALIBRATION_FILE
from inference.machine.profiles import Profile
from inference.retrieval.catalogue_vectors import VECTORS_FILE
from shared.artifacts import manifest
from shared.artifacts.disk import disk_sentence
from shared.artifacts.files import replacing
from shared.settings.sections import Engine

KEY_BYTES = 16  # By chance two of 10^9 prompts share a key of this length with probability 10^-21.
PROMPTS_PER_WRITE = 4096  # A kill can lose as many.
ABANDONED_SECONDS = 86_400.0  # A half-written file that is older is taken to be a killed run's.


def model_key(folder: Path, engine: Engine, profile: Profile) -> str:
    """What else a vector depends on: the digest of every file of a merged model, the engine and its precision.

    Raises ValueError where the folder has no manifest.
    """
    files = {name: facts for name, facts in manifest.read_manifest(folder)["files"].items() if _matters(name)}
    text = json.dumps([files, engine, profile.dtype, profile.fp8], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Damaged(Exception):
    """A shard that cannot be read, or is not what was written."""


class VectorStore:
    """The vectors of one model in a folder: shards of (keys [n, 16] uint8, vectors [n, D], SHA-256 of both).

    A damaged shard is named and deleted; then its prompts are unknown.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.unwritten: dict[Path, np.ndarray] = {}  # what the disk refused, for as long as this process lives
        with suppress(OSError):  # said when something is to be written
            folder.mkdir(parents=True, exist_ok=True)
        for partial in folder.glob(".*"):  # ours, and those that safetensors writes first
            with suppress(FileNotFoundError):  # another writer has just finished it
                if time.time() - partial.stat().st_mtime > ABANDONED_SECONDS:
                    partial.unlink()
        self.shards: list[Path] = []
        keys = []
        for path in sorted(folder.glob("*.safetensors")):
            with _forgetting(path):
                keys.append(_read(path, "keys"))
                self.shards.append(path)
        places = [_places(shard, len(rows)) for shard, rows in enumerate(keys)]
        every = np.concatenate([_as_keys(np.zeros((0, KEY_BYTES), np.uint8)), *map(_as_keys, keys)])
        order = np.argsort(every, kind="stable")
        self.keys, self.places = every[order], np.concatenate([_places(0, 0), *places])[order]

    def find(self, keys: np.ndarray) -> np.ndarray:
        """(shard, row) of each key [N, 2], -1 where it is not known."""
        places = np.full((len(keys), 2), -1, np.int32)
        if len(self.keys):
            at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
            known = self.keys[at] == keys
            places[known] = self.places[at[known]]
        return places

    def read(self, places: np.ndarray) -> np.ndarray | None:
        """Vectors [N, D] float32 at known places, one shard in memory at a time; None if a shard proves damaged.

        Then the places of its prompts are unknown from now on.
        """
        vectors = None
        for shard in np.unique(places[:, 0]):
            stored = self.unwritten.get(self.shards[shard])
            with _forgetting(self.shards[shard]):
                stored = _read_checked(self.shards[shard]) if stored is None else stored
            if stored is None:
                kept = self.places[:, 0] != shard
                self.keys, self.places = self.keys[kept], self.places[kept]
                return None
            here = places[:, 0] == shard
            vectors = np.empty((len(places), stored.shape[1]), np.float32) if vectors is None else vectors
            vectors[here] = stored[places[here, 1]]
        return vectors

    def add(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """Write a shard. Where the disk refuses it, that is said, and this process remembers it alone."""
        raw = np.frombuffer(keys.tobytes(), np.uint8).reshape(-1, KEY_BYTES)
        path = self.folder / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.safetensors"
        rows = {"keys": raw, "vectors": np.ascontiguousarray(vectors, np.float32)}
        try:
            with replacing(path) as partial:
                save_file({**rows, "sha256": _hash(**rows)}, partial)
        except OSError as error:
            _say(f"{disk_sentence(error) or error}: the vectors are not remembered")
            self.unwritten[path] = rows["vectors"]
        self.shards.append(path)
        order = np.argsort(keys, kind="stable")
        at = np.searchsorted(self.keys, keys[order])
        self.keys = np.insert(self.keys, at, keys[order])
        self.places = np.insert(self.places, at, _places(len(self.shards) - 1, len(keys))[order], axis=0)


class RememberingEncoder:
    """An Encoder that opens the real one when there is something to encode, and keeps what that says."""

    def __init__(self, store: VectorStore, open_real: Callable[[], AbstractContextManager[Encoder]]):
        self.store, self.open_real, self.encoded = store, open_real, 0

    def __enter__(self) -> "RememberingEncoder":
        self.stack, self.real = ExitStack(), None
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def encode(self, prompts: Sequence[Sequence[int]]) -> np.ndarray:
        keys = np.array([prompt_key(prompt) for prompt in prompts], f"S{KEY_BYTES}")
        while (vectors := self._encode(prompts, keys)) is None:  # a shard was damaged: its prompts are missing now
            pass
        return vectors

    def _encode(self, prompts: Sequence[Sequence[int]], keys: np.ndarray) -> np.ndarray | None:
        missing = np.flatnonzero(self.store.find(keys)[:, 0] < 0)
        missing = missing[np.sort(np.unique(keys[missing], return_index=True)[1])]  # a prompt that comes twice, once
        if (len(missing) or not len(keys)) and self.real is None:
            self.real = self.stack.enter_context(self.open_real())
        if not len(keys):
            return self.real.encode(prompts)  # knows the width
        for start in range(0, len(missing), PROMPTS_PER_WRITE):
            part = missing[start : start + PROMPTS_PER_WRITE]
            vectors = self.real.encode([prompts[row] for row in part])
            sound = answered(vectors)  # a prompt without an answer is asked again, maybe on a better machine
            if sound.any():
                self.store.add(keys[part[sound]], vectors[sound])
            self.encoded += len(part)
        places = self.store.find(keys)
        known = places[:, 0] >= 0
        found = self.store.read(places[known]) if known.any() else self.real.encode([])
        if known.all():
            return found
        vectors = np.full((len(keys), found.shape[1]), np.nan, np.float32)
        vectors[known] = found
        return vectors


def prompt_key(prompt: Sequence[int]) -> bytes:
    """The key of a prompt's token ids."""
    return hashlib.sha256(np.asarray(prompt, np.int64).tobytes()).digest()[:KEY_BYTES]


@contextmanager
def _forgetting(path: Path) -> Iterator[None]:
    """Delete and name a shard that proves damaged inside."""
    try:
        yield
    except Damaged as damage:
        _say(f"{path} is damaged ({damage}): it is deleted, and its prompts are encoded again")
        with suppress(OSError):
            path.unlink()


def _say(text: str) -> None:
    with suppress(OSError):  # a full disk behind the output
        print(text, file=sys.stderr, flush=True)


def _read(path: Path, name: str) -> np.ndarray:
    try:
        with safe_open(path, "numpy") as file:
            if "sha256" not in file.keys():  # noqa: SIM118, it is no mapping
                raise Damaged("it has no checksum")
            return file.get_tensor(name)
    except (SafetensorError, OSError) as error:  # not found: another process has deleted it
        raise Damaged(str(error)) from None


def _read_checked(path: Path) -> np.ndarray:
    """The vectors of a shard."""
    keys, vectors, said = (_read(path, name) for name in ("keys", "vectors", "sha256"))
    if not np.array_equal(_hash(keys, vectors), said):
        raise Damaged("it is not what was written")
    return vectors


def _hash(keys: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    total = hashlib.sha256(keys.tobytes())
    total.update(np.ascontiguousarray(vectors).data)
    return np.frombuffer(total.digest(), np.uint8)


def _as_keys(raw: np.ndarray) -> np.ndarray:
    return np.frombuffer(np.ascontiguousarray(raw).tobytes(), f"S{KEY_BYTES}")


def _places(shard: int, count: int) -> np.ndarray:
    return np.stack([np.full(count, shard, np.int32), np.arange(count, dtype=np.int32)], 1)


def _matters(name: str) -> bool:
    return name not in (VECTORS_FILE, CALIBRATION_FILE)  # they say nothing of how a text is encoded
