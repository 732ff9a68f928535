"""Guards stage_process.py: a stage's exit status comes back, and no stage outlives the command that asked for it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.launch.stage_process import run_in_process

ROOT = Path(__file__).parents[3]
# A stage that says its process and then sleeps, asked for by a command that is killed.
COMMAND = """
import os, time
from pathlib import Path
import training.launch.stage_process as launch

def sleep():
    Path("pid.part").write_text(str(os.getpid()))
    Path("pid.part").rename("pid")
    time.sleep(60)

launch.MODULES, launch.STOP_SECONDS = [], 0.1
if __name__ == "__main__":
    launch.run_in_process(sleep)
"""


# What a stage refuses; in a process of its own, whose server of processes begins with it and writes where it writes.
REFUSED = """
import sys
from pathlib import Path
from training.launch.stage_process import run_in_process
from training.pipeline.run_stage import run_stage

if __name__ == "__main__":
    sys.exit(run_in_process(run_stage, "prepare", Path("runs/demo0/cv")))
"""


def test_what_a_stage_refuses_is_one_sentence_and_status_2(tmp_path):
    (tmp_path / "command.py").write_text(REFUSED, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "command.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: runs/demo0/cv/settings.json does not exist: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_stage_that_a_signal_ends_is_said_with_the_way_out():
    with pytest.raises(ValueError, match=r"signal 9 ended the stage \(9: usually there was no memory left\)"):
        run_in_process(kill_itself)


def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stage_ends_with_the_command_that_asked_for_it(tmp_path, how):
    (tmp_path / "command.py").write_text(COMMAND, encoding="utf-8")
    command = subprocess.Popen(
        [sys.executable, "command.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    pid = _within(60, lambda: (tmp_path / "pid").is_file()) and int((tmp_path / "pid").read_text(encoding="utf-8"))
    command.send_signal(how)
    command.wait()
    assert _within(20, lambda: not _runs(pid))


def _within(seconds: float, holds) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def _runs(pid: int) -> bool:
    try:
        return Path("/proc", str(pid), "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
