"""Guards the command line of training: help, nearest words, statuses, completion, and what they need not load."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings.command_line import COMPLETE
from shared.task.splits import SPLITS
from training.cli import main
from training.commands import app
from training.pipeline.stages import STAGES

ROOT = Path(__file__).parents[2]
COMMANDS = app.names


def helped(capsys, *arguments):
    assert main([*arguments, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", [*COMMANDS, *STAGES])
def test_every_command_helps_in_whole_sentences_with_an_example(capsys, name):
    said = helped(capsys, name)
    usage, first, *_ = said.split("\n\n")
    assert usage.startswith(f"Usage: python -m training {name.replace('_', '-')} ")
    assert first.strip()[0].isupper() and first.endswith(".")
    assert f"Example:\n    python -m training {name.replace('_', '-')}" in said


def test_a_command_names_its_words_and_which_may_be_left_out(capsys):
    said = helped(capsys, "plan")
    assert "\n    iter=1 " in said and "\n    [split=cv] " in said and "\n    [section.key=value ...] " in said
    assert "\n    none\n" in helped(capsys, "runs")


def test_the_help_of_all_lists_every_command_and_every_stage_and_no_worker(capsys):
    said = helped(capsys)
    listed = [line.split()[0] for line in said.partition("Commands:\n")[2].splitlines() if line[:3].strip()]
    assert listed == [*COMMANDS, *(name.replace("_", "-") for name in STAGES)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "say what to do; python -m training --help lists the commands"),
        (["trian", "iter=1"], "'trian' is no command; did you mean train?"),
        (["mine_for_rerankr", "runs/iter1/cv"], "did you mean mine-for-reranker?"),
        (["--version"], "'--version' is no command; the stages are: prepare, "),
        (
            ["plan", "iter=1", "spilt=cv"],
            "'spilt=cv' is none of iter=..., split=..., as=..., section.key=value; did you mean",
        ),
        (["plan", "iter=1", "--spilt", "cv"], "'--spilt' is none of iter=..., split=..., as=..., section.key=value"),
        (["plan", "iter=1", "split=cv5"], "split=cv5: there are cv, cv2, cv3, cv4, questions, full; did you mean cv"),
        (["plan", "iter=1", "iter=0"], "iter=1 and iter=0: say it once"),
        (["plan", "iter=1; echo HELLO"], "there is no iteration '1; echo HELLO'"),
        (["plan", ""], "'' is none of iter=..., split=..., as=..., section.key=value"),
        (["runs", "iter=1"], "'iter=1': nothing stands behind this command"),
        (["report", "iter=small2"], "there is no iteration 'small2'"),
        (["calibrate"], "say which iteration: iter=1"),
        (
            ["quantize", "iter=demo0", "evaluate.depth=3"],
            "'evaluate.depth=3': only quantize.key=value can be changed here",
        ),
        (["quantize", "iter=demo0", "role=teacher"], "role=teacher: it is embedder or reranker, or left out for both"),
        (["demo", "questions=39"], "questions=39: say a number, at least 40"),
        (["prepare"], "Missing argument 'RUN'."),
        (["prepare", "runs/iter1/cv", "runs/iter1/cv2"], "Got unexpected extra argument"),
        (["prepare", "iter1"], "'iter1' is no run folder like runs/iter1/cv"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_the_nearest_known_word_and_status_2(place, capsys, arguments, sentence):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and sentence in said.err and said.err.count("\n") == 1
    assert said.out == "" and not (place / "runs").exists()


def test_a_command_may_be_written_with_either_dash(place, capsys):
    for name in ("check_data", "check-data"):
        assert main([name, "path=nowhere; at all"]) == 2
        assert "nowhere; at all/" in capsys.readouterr().err


def test_ctrl_c_is_a_sentence_and_status_130(place):
    assert main(["settings", "iter=demo0", f"prepare.competition={competition(place)}"]) == 0
    with Path("runs/demo0/cv/.prepare.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the stage waits for it
        command = [sys.executable, "-u", "-X", "importtime", "-m", "training", "prepare", "runs/demo0/cv"]
        process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if "training.pipeline.run_stage" in line:
                break
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "stopped; the same command goes on from here" and "Traceback" not in said


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["plan", "spilt=cv"]])
def test_help_and_refusals_load_no_model_library(arguments):
    heavy = {"torch", "transformers", "vllm", "scipy", "altair"} | ({"polars"} if len(arguments) > 1 else set())
    code = f"import sys; from training.cli import main; main({arguments}); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_shell_completes_names_iterations_splits_and_stages(place):
    python = place / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    just = place / "just"
    just.write_text("#!/bin/sh\necho clean plan train\n", encoding="utf-8")  # as `just --summary` says
    just.chmod(0o755)
    assert completed("./just t", 1) == ["train"]
    assert completed("./just train ", 2) == ["iter=", "split=", "as=", "nodes=", "rendezvous=", "on="]
    assert completed("./just train sp", 2) == ["split="]
    assert completed("./just train iter=d", 4) == ["demo0", "demo1", "demotexts0"]
    assert completed("./just train iter=1 ", 5) == ["split=", "as=", "nodes=", "rendezvous=", "on="]
    assert completed("./just train iter=1 split=", 6) == list(SPLITS)
    assert completed("./just clean stage=train_", 4) == [
        "train_writer",
        "train_embedder",
        "train_teachers",
        "train_reranker",
    ]
    assert completed("./just compare pool=", 3) == ["labelled", "catalogue"]
    assert completed("./just runs i", 2) == []


def completed(line, word):
    """What bash offers at the end of `line`, of which it takes "=" for a word of its own."""
    script = f"""
compopt() {{ :; }}  # only there while bash completes
. {ROOT}/training/completion.bash
COMP_LINE='{line}' COMP_POINT={len(line)} COMP_CWORD={word}
_malrule_complete ./just
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, text=True, check=True)
    return done.stdout.split()


def environment():
    kept = {name: value for name, value in os.environ.items() if name != COMPLETE}
    return {**kept, "PYTHONPATH": str(ROOT)}


def competition(place):
    from training.synthesis.malrules.generate import write_competition

    write_competition(place / "data", questions=40, test_questions=4)
    return place / "data"
