"""Guards watchdog.py with real processes: a stall, a kill and a crash leave a valid submission in time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from inference.predict.chunk_store import alone
from inference.predict.watchdog import run_guarded
from shared.task.eedi import read_competition
from shared.task.submission import read_submission

ROOT = Path(__file__).parents[3]


def arguments(competition, embedder, reranker, out):
    given = {"competition": competition, "embedder": embedder, "reranker": reranker, "out": out}
    named = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    return ["predict", "--profile", "cpu", "--engine", "hf", *named]


def start(arguments, *more):
    command = [sys.executable, "-m", "inference", *arguments, *more]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def wait_until(what, seconds=60):
    for _ in range(seconds * 20):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to that")


def child_of(process):
    (line,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
    return int(line)


def check(competition, out):
    data = read_competition(competition, need_train=False)
    read_submission(out, data.test, set(data.misconceptions["misconception_id"]))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_stall_ends_before_the_limit_with_status_3_and_a_loud_line(competition, models, tmp_path):
    out, began = tmp_path / "submission.csv", time.monotonic()
    limit = ("--limit-seconds", "20", "--margin-seconds", "18")
    process = start(arguments(competition, models / "e1", models / "r1", out), *limit)
    wait_until(out.exists)  # the models are loaded seconds later
    os.kill(child_of(process), signal.SIGSTOP)  # no code of it runs any more, as in a call that never returns
    _, error = process.communicate(timeout=30)
    assert process.returncode == 3 and "!!! predict was killed at the limit: " in error
    assert 11 <= time.monotonic() - began < 20  # killed half a margin before the limit
    check(competition, out)
    assert json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))["process"] == "was killed at the limit"
    assert not list(tmp_path.glob(".*"))


def test_a_killed_process_leaves_a_valid_submission_and_status_3(competition, models, tmp_path):
    out = tmp_path / "submission.csv"
    process = start(arguments(competition, models / "e1", models / "r1", out), "--limit-seconds", "600")
    wait_until(out.exists)
    os.kill(child_of(process), signal.SIGKILL)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 3 and "!!! predict ended with status -9: " in error
    check(competition, out)
    assert json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))["process"] == "ended with status -9"


def test_the_process_does_not_outlive_the_one_that_guards_it(competition, models, tmp_path):
    out = tmp_path / "submission.csv"
    process = start(arguments(competition, models / "e1", models / "r1", out), "--limit-seconds", "600")
    wait_until(out.exists)
    child = child_of(process)
    process.kill()
    process.communicate()
    wait_until(lambda: not alive(child), 10)


def test_an_old_submission_is_not_taken_for_a_new_one(models, tmp_path, capfd):
    out = tmp_path / "submission.csv"
    out.write_text("QuestionId_Answer,MisconceptionId\n1_A,1\n", encoding="utf-8")
    killed_at_once = run_guarded(
        arguments(tmp_path, models / "e1", models / "r1", out), out, 0.2, 0.1, time.monotonic()
    )
    assert killed_at_once == 1
    assert "before there was a submission" in capfd.readouterr().err


def test_a_mistake_that_shows_after_the_first_submission_costs_no_submission(competition, models, tmp_path):
    (tmp_path / "faiss.py").write_text(
        "raise ValueError('numpy.dtype size changed, may indicate incompatibility')", encoding="utf-8"
    )
    out, path = tmp_path / "out" / "submission.csv", os.pathsep.join([str(tmp_path), str(ROOT)])
    given = arguments(competition, models / "e1", models / "r1", out)
    command = [sys.executable, "-m", "inference", *given, "--limit-seconds", "600"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 3 and "!!! predict ended with status 2: " in done.stderr
    check(competition, out)


def test_no_log_costs_the_result_whatever_the_disk_says(competition, models, tmp_path):
    out = tmp_path / "submission.csv"
    for name in ("budget.json", "timings.json"):
        (tmp_path / name / "in the way").mkdir(parents=True)
    command = [sys.executable, "-m", "inference", *arguments(competition, models / "e1", models / "r1", out)]
    with open("/dev/full", "w", encoding="utf-8") as full:  # every write to it fails as on a full disk
        done = subprocess.run(
            [*command, "--limit-seconds", "600"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/budget.json: Is a directory: it is left out" in done.stderr and "Traceback" not in done.stderr
    check(competition, out)


def test_a_log_that_was_torn_costs_no_judgement(models, tmp_path, monkeypatch):
    out = tmp_path / "submission.csv"
    (tmp_path / "budget.json").write_text("{", encoding="utf-8")
    code = "import sys, pathlib; pathlib.Path(sys.argv[sys.argv.index('--out') + 1]).write_text('a'); sys.exit(1)"
    (tmp_path / "inference").mkdir()
    (tmp_path / "inference/__main__.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr("inference.predict.watchdog.ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    given = arguments(tmp_path, models / "e1", models / "r1", out)
    assert run_guarded(given, out, 60, 1, time.monotonic()) == 3
    assert json.loads((tmp_path / "budget.json").read_text(encoding="utf-8")) == {"process": "ended with status 1"}


def test_two_predictions_into_one_folder_do_not_mix(competition, models, tmp_path):
    given = arguments(competition, models / "e1", models / "r1", tmp_path / "submission.csv")
    with alone(tmp_path / "submission.csv"):
        process = start(given)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2 and error.startswith(f"error: another predict writes to {tmp_path}: ")
    assert f"(held by process {os.getpid()}, " in error
    assert not list(tmp_path.iterdir())


def test_what_a_person_got_wrong_is_still_one_sentence_and_status_2(competition, models, tmp_path):
    out = tmp_path / "submission.csv"
    wrong = arguments(competition, models / "r1", models / "r1", out)
    process = start(wrong, "--limit-seconds", "600")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2 and error.startswith("error: ") and error.count("\n") == 1
    process = start(wrong, "--limit-seconds", "100", "--margin-seconds", "100")
    _, error = process.communicate(timeout=60)
    assert (
        process.returncode == 2 and error == "error: --margin-seconds 100 is not between 0 and --limit-seconds, 100\n"
    )
    assert not list(tmp_path.iterdir())
