"""Guards the justfile: what is typed reaches the command word for word, and no shell reads it again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORDS = [
    "path=data/demo; echo HELLO",
    "a b",
    'it\'s "so"',
    "$(touch x)",
    "`touch x`",
    "*",
    "\\n",
    "größer=½",
    "",
    "--help",
]


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder with the real justfile and the real ./just, in which setting up does nothing."""
    for name in ("just", "justfile"):
        shutil.copy(ROOT / name, tmp_path / name)
    if (ROOT / ".tools").is_dir():  # else ./just brings its own
        (tmp_path / ".tools").symlink_to(ROOT / ".tools")
    (tmp_path / "requirements").mkdir()
    for name in ("setup.sh", "browser.sh"):
        script(tmp_path / "requirements" / name, "#!/bin/sh\n")
    return tmp_path


def script(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def just(place, *arguments, cwd=None):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [place / "just", *arguments]
    return subprocess.run(command, cwd=cwd or place, env=environment, capture_output=True, text=True)


def recipes():
    """Those that take arguments, from the justfile's own words."""
    lines = (ROOT / "justfile").read_text(encoding="utf-8").splitlines()
    return [line.partition(" *arguments:")[0] for line in lines if " *arguments:" in line]


def test_there_are_recipes_with_arguments():
    assert len(recipes()) > 15


@pytest.mark.parametrize("recipe", recipes())
def test_words_arrive_as_typed(place, recipe):
    python = place / "python"
    code = f"import json, sys\nopen({str(place / 'said')!r}, 'a').write(json.dumps(sys.argv[1:]) + chr(10))\n"
    script(python, f"#!{sys.executable}\n{code}")
    done = just(place, f"python={python}", recipe, *WORDS)
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in (place / "said").read_text(encoding="utf-8").splitlines()]
    own = said[-1][: -len(WORDS)]  # -m training plan
    assert said[-1][-len(WORDS) :] == WORDS and not {*own} & {*WORDS, *" ".join(WORDS).split()}
    assert "HELLO" not in done.stdout.splitlines() and not (place / "x").exists()


@pytest.mark.parametrize("typed", [["--train", "iter=1", "a b"], ["iter=1", "--train"]])
def test_the_doctor_of_trainings_is_that_of_training(place, typed):
    code = f"import json, sys\nopen({str(place / 'said')!r}, 'w').write(json.dumps(sys.argv[1:]))\n"
    script(place / "python", f"#!{sys.executable}\n{code}")
    (place / "elsewhere").mkdir()
    done = just(place, f"python={place / 'python'}", "doctor", *typed, cwd=place / "elsewhere")
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "said").read_text(encoding="utf-8")) == ["-m", "training", "doctor", *typed]


@pytest.mark.parametrize("word", [word for word in WORDS if word != "--help"])
def test_a_word_that_means_nothing_is_refused_in_a_sentence(place, word):
    done = just(place, f"python={sys.executable}", "plan", word)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"error: {word!r} is none of iter=..., split=..., as=..., section.key=value")
    assert len(done.stderr.splitlines()) == 1  # just adds no line of its own


def test_help_is_the_commands(place):
    done = just(place, f"python={sys.executable}", "plan", "--help")
    assert done.returncode == 0 and done.stdout.startswith("Usage: python -m training plan ")


def test_a_path_with_a_semicolon_is_a_path(place):
    done = just(place, f"python={sys.executable}", "check-data", "path=data/demo; echo HELLO")
    assert done.returncode == 2 and "data/demo; echo HELLO/" in done.stderr
    assert "HELLO" not in done.stdout.splitlines()


@pytest.mark.parametrize(("typed", "shown"), [("../mine", "mine"), (".", "deep"), ("../../elsewhere", "/elsewhere")])
def test_a_relative_path_is_the_callers(place, typed, shown):
    (place / "deep").mkdir()
    (place / "training").mkdir()
    done = just(place, f"python={sys.executable}", "check-data", f"path={typed}", cwd=place / "deep")
    assert done.returncode == 2
    assert f"{shown}/" in done.stderr and len(done.stderr.splitlines()) == 1
    assert "deep/.." not in done.stderr
