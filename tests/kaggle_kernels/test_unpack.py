"""Guards unpack.py: an archive fills its folder and nothing else, or is refused in a sentence."""

import struct
import zipfile

import pytest

from kaggle_kernels.api.retries import Refused
from kaggle_kernels.unpack import unpack

ROW = b"QuestionId\n1\n"


def packed(path, *entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def patched(path, central_offset, value):
    """The two bytes at that offset of the first entry in the archive's table, changed."""
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + central_offset
    content[place : place + 2] = struct.pack("<H", value)
    path.write_bytes(content)


def test_a_sound_archive_is_unpacked_with_its_folders(tmp_path):
    unpack(packed(tmp_path / "a.zip", ("train.csv", ROW), ("more/test.csv", b"x")), tmp_path / "out")
    assert (tmp_path / "out/train.csv").read_bytes() == ROW
    assert (tmp_path / "out/more/test.csv").read_bytes() == b"x"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("train.csv", ROW), ("train.csv", b"other")], "has twice 'train.csv'"),
        ([("train.csv", ROW), ("./TRAIN.csv", b"other")], "has twice './TRAIN.csv'"),
        ([("../train.csv", ROW)], "wants to write to '../train.csv'"),
        ([("/etc/x", ROW)], "wants to write to '/etc/x'"),
        ([("a\\b", ROW)], "wants to write to"),
        ([("/".join("d" * 17), ROW)], "more than 16 folders in one another"),
        ([("train.csv", ROW), ("train.csv/x", ROW)], "is broken"),
    ],
)
def test_an_archive_that_would_do_anything_else_is_refused(entries, words, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused, match=words):
        unpack(packed(tmp_path / "a.zip", *entries), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "out"}


def test_a_locked_one_and_unknown_methods_are_named(tmp_path):
    path = packed(tmp_path / "a.zip", ("train.csv", ROW))
    patched(path, 8, 1)  # the flags stand 8 bytes behind an entry's beginning, the method 10
    with pytest.raises(Refused, match="is locked with a password: 'train.csv'"):
        unpack(path, tmp_path)
    path = packed(tmp_path / "b.zip", ("train.csv", ROW))
    patched(path, 10, 97)
    with pytest.raises(Refused, match="packed by method 97, which is not read: 'train.csv'"):
        unpack(path, tmp_path)
    with pytest.raises(Refused, match="packed by method 14"):
        unpack(packed(tmp_path / "c.zip", ("train.csv", ROW), method=zipfile.ZIP_LZMA), tmp_path)


def test_every_cut_and_every_flipped_byte_is_refused_or_harmless(tmp_path):
    path = packed(tmp_path / "a.zip", ("train.csv", ROW * 9))
    whole = path.read_bytes()
    for place in range(len(whole)):
        for spoilt in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :]):
            (tmp_path / "b.zip").write_bytes(spoilt)
            try:
                unpack(tmp_path / "b.zip", tmp_path / "out")
            except Refused:
                continue
            assert {file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()} <= {ROW * 9}
