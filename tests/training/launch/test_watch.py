"""Guards watch.py: a process that falls silent, or stands with all the others, is named with its step, and ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference.engines.heartbeat import ADDRESS
from training.launch.watch import Watch, listening, wait_watching

ROOT = Path(__file__).parents[3]
PARENT = """
import subprocess, sys
children = [subprocess.Popen([sys.executable, "-c", sys.argv[1], str(rank)]) for rank in range(2)]
sys.exit(max(child.wait() for child in children))
"""
CHILD = """
import sys, time
from inference.engines.heartbeat import heartbeat, reached
with heartbeat(int(sys.argv[1])):
    for step in range({steps}):
        reached(f"update {{step}}")
        print(sys.argv[1], flush=True)
        time.sleep(0.1)
    time.sleep({rest})
"""


def start(address, steps, rest=0):
    command = [sys.executable, "-c", PARENT, CHILD.format(steps=steps, rest=rest)]
    environment = {**os.environ, ADDRESS: address, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def children(process):
    names = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
    return [int(name) for name in names]


def test_processes_that_go_on_are_left_alone_and_their_status_is_returned():
    with listening() as (ear, address), start(address, steps=20) as process:
        assert wait_watching(process, ear, silence=10, stall=10) == 0


def test_a_stopped_process_is_named_with_its_step_and_all_are_ended():
    with listening() as (ear, address), start(address, steps=10_000) as process:
        seen = 0
        while seen < 20:  # updates of the second process
            seen += process.stdout.readline() == "1\n"
        stopped = children(process)[1]
        os.kill(stopped, signal.SIGSTOP)
        began = time.monotonic()
        said = rf"process 1 \(pid {stopped}\) shows no life since it came to update [0-9]+; all of them were ended: "
        with pytest.raises(ValueError, match=said):
            wait_watching(process, ear, silence=3, stall=60)
        assert time.monotonic() - began < 15 and process.poll() is not None
        assert not Path(f"/proc/{stopped}").exists()


def test_processes_that_live_and_come_no_further_are_named_with_their_steps():
    with listening() as (ear, address), start(address, steps=2, rest=600) as process:
        said = "no process came any further for 3 s: process 0 came to update 1; process 1 came to update 1; all"
        with pytest.raises(ValueError, match=said):
            wait_watching(process, ear, silence=60, stall=3)
        assert process.poll() is not None


def life(rank, count, step, ended=False):
    return {"rank": rank, "pid": 100 + rank, "count": count, "step": step, "ended": ended}


def test_a_process_that_has_ended_is_not_waited_for():
    watch = Watch(silence=20, stall=100, began=0)
    watch.hear(life(0, 1, "a"), 1)
    watch.hear(life(0, 1, "a", ended=True), 2)
    watch.hear(life(1, 1, "a"), 30)
    assert watch.judge(40) == ""
    assert watch.judge(51) == "process 1 (pid 101) shows no life since it came to a"


def test_while_the_whole_machine_slept_nobody_could_show_life():
    watch = Watch(silence=20, stall=100, began=0)
    watch.hear(life(0, 1, "a"), 10)
    watch.sleep(1000)
    assert watch.judge(1020) == "" and watch.judge(1031) != ""


def test_who_never_begins_is_noticed_too():
    watch = Watch(silence=20, stall=100, began=0)
    assert watch.judge(99) == ""
    assert watch.judge(101) == "no process came any further for 100 s: none has begun"
