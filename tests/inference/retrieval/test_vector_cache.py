"""Guards vector_cache.py: what was encoded is never encoded again, whoever wrote it and whoever was killed."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from inference.machine.profiles import load_profile
from inference.retrieval.catalogue_vectors import VECTORS_FILE
from inference.retrieval.vector_cache import RememberingEncoder, VectorStore, model_key
from shared.artifacts.manifest import write_manifest

CPU = load_profile("cpu")
WRITER = """
import itertools, sys
from pathlib import Path
from tests.inference.retrieval.test_vector_cache import SumEncoder, remembering, prompts
first = int(sys.argv[2])
with remembering(SumEncoder(), Path(sys.argv[1])) as encoder:
    for start in itertools.count(first, 50):
        encoder.encode(prompts(start, start + 50))
        print(start + 50, flush=True)
"""


class SumEncoder:
    """Vectors that one can tell: (sum, length, first token) of a prompt."""

    def __init__(self):
        self.asked, self.opened = [], 0

    def encode(self, prompts):
        self.asked += prompts
        return np.array([[sum(prompt), len(prompt), prompt[0]] for prompt in prompts], np.float32).reshape(-1, 3)


def remembering(real, folder):
    @contextmanager
    def opened():
        real.opened += 1
        yield real

    return RememberingEncoder(VectorStore(folder), opened)


def prompts(start, end):
    return [[number, 7, number % 5] for number in range(start, end)]


def expected(rows):
    return SumEncoder().encode(rows)


def test_a_second_run_encodes_only_what_changed_and_opens_nothing_for_nothing(tmp_path):
    with remembering(first := SumEncoder(), tmp_path) as encoder:
        np.testing.assert_array_equal(encoder.encode(prompts(0, 10)), expected(prompts(0, 10)))
    with remembering(second := SumEncoder(), tmp_path) as encoder:
        asked = [*prompts(5, 12)[::-1], [3, 4], [3, 4], *prompts(0, 2)]
        np.testing.assert_array_equal(encoder.encode(asked), expected(asked))
        assert encoder.encode(asked).dtype == np.float32 and encoder.encoded == 3
    assert first.asked == prompts(0, 10) and second.asked == [[11, 7, 1], [10, 7, 0], [3, 4]]
    with remembering(third := SumEncoder(), tmp_path) as encoder:
        np.testing.assert_array_equal(encoder.encode(asked), expected(asked))
        assert third.opened == 0
        assert encoder.encode([]).shape == (0, 3) and third.opened == 1  # only the model knows the width


def test_a_prompt_without_an_answer_is_not_remembered(tmp_path):
    class Broken(SumEncoder):
        def encode(self, prompts):
            vectors = super().encode(prompts)
            vectors[vectors[:, 2] == 3] = np.nan
            return vectors

    asked = prompts(0, 10)  # row 3 alone has the first token 3
    for rows in (asked, asked[3:4]):
        with remembering(Broken(), tmp_path) as encoder:
            found = encoder.encode(rows)
        bad = [row[0] == 3 for row in rows]
        assert np.isnan(found[bad]).all() and np.isfinite(found[np.logical_not(bad)]).all() and found.shape[1] == 3
    with remembering(real := SumEncoder(), tmp_path) as encoder:
        np.testing.assert_array_equal(encoder.encode(asked), expected(asked))
    assert real.asked == [asked[3]]


def test_many_writes_keep_the_index_right(tmp_path):
    rng = np.random.default_rng(0)
    with remembering(real := SumEncoder(), tmp_path) as encoder:
        for _ in range(30):
            asked = [[int(number)] for number in rng.integers(0, 200, 20)]
            np.testing.assert_array_equal(encoder.encode(asked), expected(asked))
    assert len(real.asked) == len({prompt[0] for prompt in real.asked})
    store = VectorStore(tmp_path)
    assert (store.keys[1:] > store.keys[:-1]).all() and len(store.keys) == len(real.asked)


def test_writers_at_the_same_time_and_kills_at_any_moment_leave_only_whole_shards(tmp_path):
    root = Path(__file__).parents[3]
    start = [sys.executable, "-c", WRITER, str(tmp_path)]
    for round_ in range(3):
        writers = [
            subprocess.Popen([*start, str(first)], cwd=root, stdout=subprocess.PIPE, text=True) for first in (0, 1000)
        ]
        said = [int(writer.stdout.readline()) for writer in writers]  # both write by now
        time.sleep(0.03 * round_)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            said.append(int(([0, *writer.communicate()[0].split()])[-1]))
        with remembering(real := SumEncoder(), tmp_path) as encoder:
            rows = [*prompts(0, said[0]), *prompts(1000, said[1])]
            np.testing.assert_array_equal(encoder.encode(rows), expected(rows))
            assert real.asked == []  # what a writer said is there is there


def test_what_a_killed_run_left_is_removed_a_day_later(tmp_path):
    for name, age in ((".old.partial", 90_000), (".tmpF9q", 90_000), (".new.partial", 10)):
        path = tmp_path / name
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    VectorStore(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".new.partial"]


def _cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1  # a bit of a vector, or of the checksum
    path.write_bytes(data)


def _without_checksum(path):
    save_file({"keys": np.zeros((1, 16), np.uint8), "vectors": np.zeros((1, 3), np.float32)}, path)


@pytest.mark.parametrize("damage", [_cut, _flip, _without_checksum, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("when", ["before it is opened", "meanwhile"])
def test_a_damaged_shard_is_named_and_its_prompts_alone_are_encoded_again(tmp_path, damage, when, capsys):
    with remembering(SumEncoder(), tmp_path) as encoder:
        encoder.encode(prompts(0, 10))
        encoder.encode(prompts(10, 20))
    shard = min(tmp_path.glob("*.safetensors"))
    if when == "meanwhile":
        store = remembering(real := SumEncoder(), tmp_path)
    damage(shard)
    if when != "meanwhile":
        store = remembering(real := SumEncoder(), tmp_path)
    with store as encoder:
        np.testing.assert_array_equal(encoder.encode(prompts(0, 20)), expected(prompts(0, 20)))
    assert real.asked == prompts(0, 10) and not shard.exists()
    assert f"{shard} is damaged (" in capsys.readouterr().err


def test_a_disk_that_refuses_costs_the_memory_and_not_the_vectors(tmp_path, capsys):
    (tmp_path / "file").touch()
    for rows in (prompts(0, 10), prompts(5, 12)):
        with remembering(real := SumEncoder(), tmp_path / "file") as encoder:  # where no folder can be
            np.testing.assert_array_equal(encoder.encode(rows), expected(rows))
            np.testing.assert_array_equal(encoder.encode(rows[::-1]), expected(rows[::-1]))
        assert real.asked == rows
    assert "Not a directory: the vectors are not remembered" in capsys.readouterr().err


def test_the_key_of_a_model_changes_with_whatever_changes_its_vectors(tmp_path):
    def key(engine="hf", profile=CPU, **files):
        for name, value in files.items():
            save_file({"w": np.array([value])}, tmp_path / f"{name}.safetensors")
        write_manifest(tmp_path, {})
        return model_key(tmp_path, engine, profile)

    first = key(model=1.0)
    assert key(model=1.0) == first
    (tmp_path / VECTORS_FILE).write_bytes(b"made by the model, not the other way round")
    assert key(model=1.0) == first
    others = {key(model=2.0), key("vllm", model=1.0), key(profile=load_profile("cpu_bf16")), first}
    (tmp_path / "card.json").write_text("{}", encoding="utf-8")
    assert len({*others, key()}) == 5
