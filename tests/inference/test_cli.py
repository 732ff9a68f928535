"""Guards the command line of inference: help, what is refused with which status, and what reaches the commands."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from inference.cli import main
from inference.machine import hardware
from inference.predict.terminal.question import Question, found_texts, write_question
from shared.task.current import TASK

ROOT = Path(__file__).parents[2]
PREDICT = [
    "predict",
    "--profile",
    "cpu",
    "--competition",
    "x",
    "--out",
    "y/s.csv",
    "--embedder",
    "e",
    "--reranker",
    "r",
]


@pytest.mark.parametrize("name", ["predict", "score", "doctor"])
def test_every_command_helps_in_whole_sentences_with_an_example(capsys, name):
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Usage: python -m inference {name} ")
    assert said.split("\n\n")[1].strip().endswith(".") and f"Example:\n    python -m inference {name} --" in said


def test_the_clock_of_the_guarded_process_is_no_option_for_people(capsys):
    main(["predict", "--help"])
    said = capsys.readouterr().out
    assert "--limit-seconds" in said and "--deadline" not in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing command."),
        (["fly"], "No such command 'fly'."),
        (["predict", "--profile", "cpu"], "Missing option '--competition'."),
        (PREDICT[:-2], "Missing option '--reranker'."),
        ([*PREDICT, "--engine", "abacus"], "Invalid value for '--engine': 'abacus' is none of hf, vllm"),
        ([*PREDICT, "--average", "mean"], "Invalid value for '--average': 'mean' is none of score, rank"),
        ([*PREDICT, "--depth", "deep"], "Invalid value for '--depth'"),
        ([*PREDICT, "--dept", "3"], "No such option: --dept"),
        ([*PREDICT, "--embedder", "e2=0"], "error: 'e2=0': '0' is no weight above 0, as in DIR=0.5"),
        ([*PREDICT, "--deadline", "-1.5", "--embedder", "e2=0"], "error: 'e2=0': '0' is no weight above 0"),
        ([*PREDICT, "--limit-seconds", "9", "--ray", "auto"], "error: --limit-seconds is for one machine"),
        ([*PREDICT, "--limit-seconds", "9"], "error: --margin-seconds 300 is not between 0 and --limit-seconds, 9"),
        ([*PREDICT[:5], *PREDICT[7:]], "error: say --out FILE, the submission.csv to write, or ask with --question"),
        (PREDICT, "error: --competition x: x/test.csv does not exist: name the folder that holds it"),
        ([*PREDICT, "--profile", "abacus"], "error: there is no profile 'abacus'"),
        ([*PREDICT, "--out", "."], "error: --out . is a folder: name the file, as in --out submission.csv"),
        ([*PREDICT, "--out", "/dev/null/x/s.csv"], "error: --out /dev/null/x/s.csv: /dev/null is a file"),
        ([*PREDICT, "--question", "1 + 1?", "--wrong", "3"], "error: say all of --question, --correct and --wrong"),
        ([*PREDICT, "--show", "-1"], "Invalid value for '--show'"),
        (["doctor", "--profile", "abacus"], "error: there is no profile 'abacus'"),
    ],
)
def test_what_a_person_got_wrong_is_said_with_status_2(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from inference.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and sentence in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_profile_for_gpus_that_are_not_there_is_refused_before_anything_else(tmp_path, monkeypatch, capsys):
    from inference.predict.terminal import refusals

    machine = replace(hardware.this_machine(), gpus=())
    monkeypatch.setattr(refusals, "this_machine", lambda: machine)
    monkeypatch.chdir(tmp_path)
    for profile, wanted in (("h200", "1 GPU"), ("t4x2", "2 GPUs")):
        for more in ([], ["--limit-seconds", "1000"], ["--question", "1 + 1?", "--correct", "2", "--wrong", "3"]):
            assert main([*PREDICT, "--profile", profile, *more]) == 2
            said = capsys.readouterr().err
            assert said == (
                f"error: --profile {profile}: it wants {wanted} and none is there; `./just doctor` says which "
                "profile fits\n"
            )
    assert not list(tmp_path.iterdir())


def test_a_question_becomes_a_competition_whose_row_is_shown_in_words(tmp_path):
    (tmp_path / "from").mkdir()
    mapping = "MisconceptionId,MisconceptionName\n7,Adds\n8,Multiplies\n"
    (tmp_path / "from/misconception_mapping.csv").write_text(mapping, encoding="utf-8")
    asked = Question('What is\n1 + "1"?', "2", "11, not 3")
    write_question(asked, tmp_path / "from", tmp_path)
    assert TASK.read(tmp_path, need_train=False).test.row(0, named=True) == {
        "query_id": "1_B",
        "question_id": 1,
        "construct": "Mathematics",
        "subject": "Mathematics",
        "question": 'What is\n1 + "1"?',
        "correct": "2",
        "wrong": "11, not 3",
        "misconception_id": None,
        "fold": "test",
    }
    submission = tmp_path / "s.csv"
    submission.write_text("QuestionId_Answer,MisconceptionId\n1_B,8 7\n1_C,7 8\n1_D,7 8\n", encoding="utf-8")
    assert list(found_texts(submission, tmp_path, 1)) == [
        '\n1_B  What is 1 + "1"?',
        "  correct 2, wrong 11, not 3",
        "  1. Multiplies (8)",
        "  2. Adds (7)",
    ]
    assert len(list(found_texts(submission, tmp_path, 9))) == 3 * 4


def test_a_score_is_printed(tmp_path, capsys):
    (tmp_path / "test.csv").write_text(TEST, encoding="utf-8")
    mapping = "MisconceptionId,MisconceptionName\n0,Adds\n1,Multiplies\n"
    (tmp_path / "misconception_mapping.csv").write_text(mapping, encoding="utf-8")
    (tmp_path / "s.csv").write_text("QuestionId_Answer,MisconceptionId\n1_B,0 1\n1_C,0 1\n1_D,1 0\n", encoding="utf-8")
    (tmp_path / "l.csv").write_text("QuestionId_Answer,MisconceptionId\n1_B,0\n1_C,1\n", encoding="utf-8")
    names = {"competition": tmp_path, "submission": tmp_path / "s.csv", "labels": tmp_path / "l.csv"}
    assert main(["score", *(text for name, value in names.items() for text in (f"--{name}", str(value)))]) == 0
    assert capsys.readouterr().out == "MAP@25 0.7500 over 2 labelled rows\n"  # 1 and 1/2


def test_reading_the_command_line_waits_for_no_model_library_nor_for_rich():
    heavy = {"torch", "transformers", "vllm", "faiss", "rich"}
    code = f"import sys; from inference.cli import main; main(['predict', '--help']); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


TEST = (
    "QuestionId,ConstructId,ConstructName,SubjectId,SubjectName,CorrectAnswer,QuestionText,"
    "AnswerAText,AnswerBText,AnswerCText,AnswerDText\n1,1,Add,1,Sums,A,1 + 1 = ?,2,3,4,5\n"
)
