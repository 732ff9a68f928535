"""Guards files.py: a file in its place is the old or the new one."""

import pytest

from shared.artifacts.files import replacing


def test_a_file_is_replaced_when_it_is_whole_and_nothing_lies_beside_it(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert (path.read_text(), [file.name for file in tmp_path.iterdir()]) == ("new", ["file"])


def test_a_writer_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="disk is full"):
        fail_halfway(path)
    assert path.read_text() == "old"


def fail_halfway(path):
    with replacing(path) as partial:
        partial.write_text("ha")
        raise OSError("disk is full")
