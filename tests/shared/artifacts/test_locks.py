"""Guards locks.py: a lock has one holder, who is named at once, and a tied process ends with its parent."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.artifacts.disk import disk_sentence
from shared.artifacts.locks import holder, locked

ROOT = Path(__file__).parents[3]
HOLD = """
import sys, time
from pathlib import Path
from shared.artifacts.locks import locked
with locked(Path(sys.argv[1]), "held"):
    print("held", flush=True)
    time.sleep(600)
"""


def hold(path):
    command = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_who_holds_a_lock_is_said_at_once_with_pid_command_and_time(tmp_path, capsys):
    path = tmp_path / "lock"
    with hold(path) as process:
        with pytest.raises(ValueError, match="^busy") as caught, locked(path, "busy", wait_seconds=0.6):
            pass
        process.kill()
    who = f'held by process {process.pid}, "{sys.executable} -c'
    assert str(caught.value).startswith(f"busy ({who}") and ", since 20" in str(caught.value)
    assert capsys.readouterr().err.startswith(f"waiting for {path}: {who}")


def test_a_child_that_outlived_who_took_the_lock_is_named(tmp_path):
    path = tmp_path / "lock"
    parent = f"""
import subprocess, sys
from pathlib import Path
from shared.artifacts.locks import locked
with locked(Path({str(path)!r}), "held") as lock:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=(lock,), stdout=-3)
    print(child.pid, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    pid = int(done.stdout)
    try:
        with pytest.raises(ValueError, match=f"^busy \\(held by process {pid}, "), locked(path, "busy"):
            pass
    finally:
        os.kill(pid, 9)


def test_who_waits_for_orphans_alone_is_refused_at_once_by_a_process_that_lives(tmp_path):
    path = tmp_path / "lock"
    with hold(path) as process:
        match = f"^busy \\(held by process {process.pid}, "
        with pytest.raises(ValueError, match=match), locked(path, "busy", wait_seconds=600, for_orphans=True):
            pass
        process.kill()
        process.wait()  # until then it lives, and refuses
        with locked(path, "busy", wait_seconds=60, for_orphans=True):
            pass


def test_a_lock_whose_file_was_deleted_meanwhile_is_taken_anew(tmp_path):
    path = tmp_path / "lock"
    with locked(path, "held"):
        path.unlink()  # as cleaning a run does
        with locked(path, "held"), pytest.raises(ValueError, match="^held"), locked(path, "held"):
            pass


def test_a_disk_without_room_for_the_note_costs_no_lock(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with locked(tmp_path / "lock", "held"):
        assert holder(tmp_path / "lock") == "held by a process not seen here"


def test_a_file_system_without_locks_is_one_sentence_with_the_lock(tmp_path, monkeypatch):
    def none(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(OSError, match="No locks") as caught, locked(tmp_path / "lock", "busy"):
        pass
    assert disk_sentence(caught.value) == (
        f"{tmp_path}/lock: No locks available; this file system has no locks: put the folder on another one"
    )


def test_a_lock_has_one_holder_and_the_other_gets_the_sentence(tmp_path):
    path = tmp_path / "new" / "lock"
    with locked(path, "unused"), pytest.raises(ValueError, match="^held \\(held by process"), locked(path, "held"):
        pass
    with locked(path, "held"):  # free again
        pass


def test_who_waits_for_a_lock_gets_it_when_its_holder_dies(tmp_path):
    code = """
import sys, time
from pathlib import Path
from shared.artifacts.locks import locked
with locked(Path(sys.argv[1]), "held"):
    print("held", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="^held \\(held by"), locked(tmp_path / "lock", "held", wait_seconds=0.01):
            pass
        holder.kill()
        with locked(tmp_path / "lock", "held", wait_seconds=60):
            pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_tied_process_gets_its_signal_when_its_parent_dies(name):
    child = f"""
import signal, time
from shared.artifacts.locks import die_with_parent
signal.signal(signal.SIGTERM, lambda *_: print("asked to end", flush=True) or exit())
die_with_parent(signal.{name})
print("tied", flush=True)
time.sleep(600)
"""
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    with subprocess.Popen(
        [sys.executable, "-c", parent, child], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "tied\n"
        process.kill()
        assert process.stdout.read() == ("asked to end\n" if name == "SIGTERM" else "")  # ends when the child has
