"""Guards files.py: what stands in its place is the old or the new one, on the disk before its name is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.artifacts.files import remove_partials, replace_folder, replacing, replacing_folder, write_json, write_text

ROOT = Path(__file__).parents[3]


def test_a_file_is_replaced_when_it_is_whole_and_nothing_lies_beside_it(tmp_path):
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    with replacing(path) as partial:
        partial.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
    assert (path.read_text(encoding="utf-8"), [file.name for file in tmp_path.iterdir()]) == ("new", ["file"])


def test_a_writer_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(OSError, match="disk is full"):
        fail_halfway(path)
    assert path.read_text(encoding="utf-8") == "old"


def fail_halfway(path):
    with replacing(path) as partial:
        partial.write_text("ha", encoding="utf-8")
        raise OSError("disk is full")


def test_a_file_is_on_the_disk_before_it_takes_its_place_and_then_its_name_is(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    write_text(tmp_path / "file", "new")
    assert seen == [str(tmp_path / ".file.partial"), str(tmp_path)]
    write_text(tmp_path / "scratch", "new", durable=False)
    assert len(seen) == 2


def test_text_and_json_are_written_in_utf_8_whatever_the_locale_says(tmp_path):
    code = "from pathlib import Path; from shared.artifacts.files import *; write_text(Path({!r}), chr(189))"
    path = tmp_path / "text"
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code.format(str(path))], cwd=ROOT, env=plain, check=True)
    assert path.read_bytes() == "½".encode()
    write_json(tmp_path / "json", {"a": ["½"]})
    assert (tmp_path / "json").read_text(encoding="utf-8") == '{\n "a": [\n  "\\u00bd"\n ]\n}\n'


def test_a_secret_is_for_nobody_else_from_its_first_byte_on(tmp_path):
    path, partial = tmp_path / "secret", tmp_path / ".secret.partial"
    partial.write_text("of a killed writer, for all to read", encoding="utf-8")
    write_json(path, {}, mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    umask = os.umask(0)
    os.umask(umask)
    write_json(path, {})
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_folder_is_replaced_when_it_is_filled_and_nothing_lies_beside_it(tmp_path):
    folder = tmp_path / "folder"
    for text in ("first", "second"):
        (tmp_path / ".folder.partial").mkdir()  # of a killed writer
        (tmp_path / ".folder.partial" / "rest").touch()
        with replacing_folder(folder) as partial:
            (partial / text).touch()
        assert [path.name for path in tmp_path.rglob("*")] == ["folder", text]
    with pytest.raises(OSError, match="disk is full"), replacing_folder(folder) as partial:
        raise OSError("disk is full")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "second"]


def test_a_folder_with_a_name_for_the_old_one_is_never_gone(tmp_path, monkeypatch):
    folder, old, partial = (tmp_path / name for name in ("folder", "old", "partial"))
    for path in (folder, partial):
        path.mkdir()
        (path / path.name).touch()
    rename = Path.rename

    def die_at_the_second(self, target):
        if self == partial:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            replace_folder(partial, folder, old)
    assert (old / "folder").exists() and not folder.exists()
    replace_folder(partial, folder, old)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "folder", "old", "partial"]
    assert (folder / "partial").exists() and (old / "folder").exists()


def test_a_folder_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    with replacing_folder(tmp_path / "folder") as partial:
        (partial / "inner").mkdir()
        (partial / "inner" / "file").touch()
        (partial / "file").touch()
        seen.clear()
    there = [".folder.partial/inner/file", ".folder.partial/inner", ".folder.partial/file", ".folder.partial", "."]
    assert seen == [str(tmp_path / name) for name in there]


def test_what_killed_writers_left_is_removed_however_deep_and_nothing_else(tmp_path):
    for name in (".a.partial", "kept", "inner/.b.partial", "inner/kept", ".c.partial/file"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["inner", "kept", "kept"]
