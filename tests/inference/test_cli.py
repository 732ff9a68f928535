"""Guards the command line of inference: help, what is refused with which status, and what reaches the commands."""

import subprocess
import sys
from pathlib import Path

import pytest

from inference.cli import main

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
