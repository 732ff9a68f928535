"""Guards json_files.py: whatever is wrong with a file is one sentence that names it."""

import pytest

from shared.artifacts.json_files import read_json


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is damaged"),
        (b"{", "is damaged"),
        (b'{"a": "\xff"}', "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b"[1]", "holds a list, which is not what was written there"),
    ],
)
def test_damage_is_a_sentence_with_the_file_and_the_way_out(tmp_path, content, words):
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"metrics.json {words}.*: train again"):
        read_json(path, "train again")


def test_a_missing_file_is_named_and_a_sound_one_read(tmp_path):
    with pytest.raises(ValueError, match=r"metrics.json does not exist: run again"):
        read_json(tmp_path / "metrics.json")
    (tmp_path / "metrics.json").write_bytes(b"[1]")
    assert read_json(tmp_path / "metrics.json", kind=list) == [1]
