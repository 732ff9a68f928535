"""Guards verified.py: what is read is what its manifest lists, and what was hashed once is only asked its time."""

import os
import shutil
import time

import pytest

from shared.artifacts.manifest import VERIFIED, digest, verify_manifest, write_manifest
from shared.artifacts.verified import check_file, check_folder, note_as_listed


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "merge_embedder"
    (folder / "tokens").mkdir(parents=True)
    (folder / "card.json").write_bytes(b"{}")
    (folder / "model.safetensors").write_bytes(b"abc")
    (folder / "tokens" / "vocab.txt").write_bytes(b"a")
    write_manifest(folder, {})
    return folder


def overwrite(path, content):
    """In place, with the mtime that the file had."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("name", ["card.json", "model.safetensors", "tokens/vocab.txt"])
def test_a_flipped_byte_is_refused_by_name_even_behind_the_old_mtime(folder, name, seen):
    if seen:
        check_folder(folder)
    content = (folder / name).read_bytes()
    overwrite(folder / name, bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(ValueError, match=f"{name} differs: SHA-256"):
        check_folder(folder)
    if "/" not in name:
        with pytest.raises(ValueError, match=f"{name} differs"):
            check_file(folder / name)


def test_what_is_noted_is_not_hashed_again_until_somebody_asks_or_it_is_copied(folder, tmp_path):
    overwrite(folder / "card.json", b"[]")
    time.sleep(0.1)  # longer than a tick: younger files are not noted
    note_as_listed(folder)  # which is not true, as only hashing can tell
    check_folder(folder)
    check_file(folder / "card.json")
    with pytest.raises(ValueError, match="card.json differs"):
        check_folder(folder, hash_all=True)
    with pytest.raises(ValueError, match="card.json differs"):
        check_folder(shutil.copytree(folder, tmp_path / "copy"))  # its note is of other inodes


def test_a_file_of_this_moment_is_hashed_again_whatever_was_noted(folder):
    overwrite(folder / "card.json", b"[]")
    note_as_listed(folder)
    with pytest.raises(ValueError, match="card.json differs"):
        check_folder(folder)


def test_a_file_that_is_swapped_by_a_rename_is_hashed(folder, tmp_path):
    check_folder(folder)
    other = tmp_path / "other"
    other.write_bytes(b"abd")
    shutil.copystat(folder / "model.safetensors", other)
    other.rename(folder / "model.safetensors")
    with pytest.raises(ValueError, match="model.safetensors differs"):
        check_folder(folder)


def test_a_missing_and_an_extra_file_are_refused_but_for_those_that_may_lie_beside(folder):
    (folder / "calibration.json").write_bytes(b"{}")
    with pytest.raises(ValueError, match=r"calibration.json is extra"):
        check_folder(folder)
    check_folder(folder, beside=["calibration.json"])
    (folder / "card.json").unlink()
    with pytest.raises(ValueError, match=r"card.json is missing"):
        check_folder(folder, beside=["calibration.json"])


def test_the_note_belongs_to_no_manifest_and_a_damaged_one_is_as_none(folder):
    before = digest(folder)
    time.sleep(0.1)
    check_folder(folder)
    verify_manifest(folder)
    write_manifest(folder, {})
    assert (folder / VERIFIED).is_file()
    assert digest(folder) == before
    for content in (b"", b"[]", b"\xff", b'{"card.json": 1}'):
        (folder / VERIFIED).write_bytes(content)
        check_folder(folder)
        check_file(folder / "card.json")


def test_a_folder_that_cannot_be_written_is_compared_all_the_same(folder):
    time.sleep(0.1)
    (folder / f".{VERIFIED}.partial").mkdir()  # where the note would be written to
    check_folder(folder)
    assert not (folder / VERIFIED).exists()
    overwrite(folder / "card.json", b"[]")
    with pytest.raises(ValueError, match="card.json differs"):
        check_folder(folder)


def test_without_a_manifest_there_is_nothing_to_compare_with(tmp_path):
    (tmp_path / "card.json").write_bytes(b"{}")
    check_folder(tmp_path)
    check_file(tmp_path / "card.json")
    check_file(tmp_path / "absent.json")
