"""Guards disk.py: whoever says that the disk refused, a person reads one sentence with the file, and why."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from shared.artifacts.disk import check_room, disk_sentence, naming, sentence_of
from shared.settings.command_line import exit_status

FULL = Path("/dev/full")  # every write to it fails as on a full disk


def by_python(path):
    path.write_text("x" * 9999, encoding="utf-8")


def by_numpy(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(9999))


def by_polars(path):
    pl.DataFrame({"a": range(9999)}).write_parquet(path)


@pytest.mark.parametrize("write", [by_python, by_numpy, by_polars])
def test_a_full_disk_is_one_sentence_whoever_writes(write):
    with pytest.raises(OSError, match="No space left") as caught, naming(Path("/tmp/table")):
        write(FULL)
    text = disk_sentence(caught.value)
    assert "No space left on device; " in text and "MB are free there; make room" in text and "\n" not in text


def test_safetensors_in_a_folder_that_is_none_is_a_refusal_too(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught, naming(tmp_path / "file/weights"):
        save_file({"a": np.zeros(3)}, tmp_path / "file/weights")
    assert disk_sentence(caught.value) == f"{tmp_path}/file/weights: Not a directory"


def test_a_folder_that_cannot_be_copied_names_the_first_file(tmp_path):
    for name in ("from/a", "from/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def refuse(source, target):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), target)

    with pytest.raises(shutil.Error) as caught, naming(tmp_path):
        shutil.copytree(tmp_path / "from", tmp_path / "to", copy_function=refuse)
    assert disk_sentence(caught.value).partition("; ")[0] in {
        f"{tmp_path}/to/{name}: Read-only file system" for name in "ab"
    }


def test_an_error_of_another_kind_is_no_refusal_and_stays_what_it_is():
    for error in (KeyError("a"), OSError("it does not appear to have a file named config.json"), RuntimeError("x")):
        assert disk_sentence(error) == ""
        with pytest.raises(type(error)) as caught, naming(Path("a")):
            raise error
        assert caught.value is error


def test_a_command_ends_with_one_sentence_for_a_disk_and_a_traceback_for_a_fault_of_ours(capsys):
    def refuse():
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "runs/x")

    assert exit_status(refuse, "error", 2) == 2
    assert capsys.readouterr().err == ("error: runs/x: Read-only file system; name a folder that can be written to\n")

    def fault():
        raise KeyError("a")

    with pytest.raises(KeyError):
        exit_status(fault, "error", 2)


def test_a_value_error_keeps_its_own_sentence():
    assert sentence_of(ValueError("a is damaged (os error 5)")) == "a is damaged (os error 5)"


def test_too_little_room_is_said_before_anything_is_written(tmp_path):
    check_room(tmp_path / "new", 1)
    with pytest.raises(OSError, match="MB are needed") as caught:
        check_room(tmp_path / "new", 10**18)
    assert disk_sentence(caught.value).startswith(
        f"{tmp_path}/new: No space left on device: 1,000,000,000,000.0 MB are needed; "
    )
