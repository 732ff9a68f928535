"""Guards agent.py: torchrun ends with a status and adds no line of its own to what its processes say."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
FAILS = "import sys; print('error: wrong', file=sys.stderr); sys.exit(2)"
WAITS = "import signal, time; signal.signal(2, signal.SIG_DFL); print('began', flush=True); time.sleep(600)"


def start(tmp_path, code):
    script = tmp_path / "script.py"
    script.write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "training.launch.agent", "--standalone", "--nproc-per-node=1", str(script)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **pipes)


def test_a_process_that_fails_says_why_and_nobody_else_speaks(tmp_path):
    agent = start(tmp_path, FAILS)
    _, said = agent.communicate(timeout=300)
    assert (agent.returncode, said) == (2, "error: wrong\n")


def test_ctrl_c_leaves_no_traceback(tmp_path):
    agent = start(tmp_path, WAITS)
    assert agent.stdout.readline() == "began\n"
    os.killpg(agent.pid, signal.SIGINT)
    _, said = agent.communicate(timeout=300)
    assert (agent.returncode, said) == (130, "")
