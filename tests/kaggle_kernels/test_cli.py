"""Guards the command line itself: help, completion, how it ends, and that none of them waits for torch."""

import os
import subprocess
import sys

import pytest

from kaggle_kernels.request import Request, read_request
from kaggle_kernels.verbs import VERBS
from shared.task.current import TASK
from tests.kaggle_kernels.kaggle_checkout import ROOT

WORDS = {verb.name: [*verb.words.needed, *verb.words.optional] for verb in VERBS}


def _run(code: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", f"import sys; from kaggle_kernels.cli import main\n{code}"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, encoding="utf-8")


def test_help_lists_every_verb_and_waits_neither_for_torch_nor_for_rich():
    done = _run('code = main(["--help"], None); print(code, sorted({"torch", "polars", "rich"} & set(sys.modules)))')
    assert done.stderr == "" and done.stdout.endswith("\n0 []\n")
    assert all(f"\n  {verb} " in done.stdout for verb in WORDS)


@pytest.mark.parametrize("verb", WORDS)
def test_the_help_of_a_verb_says_what_it_does_its_words_and_an_example(verb, publish):
    outcome = publish(verb, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Usage: python -m kaggle_kernels {verb} " in outcome.out
    assert f"Example:\n    python -m kaggle_kernels {verb}" in outcome.out
    listed = [line.split()[0].strip("[]") for line in outcome.out.splitlines() if line.startswith("  ")]
    for word in WORDS[verb]:
        assert word.shown in listed and word.meaning in " ".join(outcome.out.split())
    others = {word for words in WORDS.values() for word in words} - set(WORDS[verb])
    assert not {word.shown for word in others} & set(listed)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("./just push-m", ["push-models"]),
        ("./just push-models sp", ["split="]),
        ("./just push-models iter=1 q", ["quantized=", "quantized"]),
        ("./just submit --a", ["--again"]),
        ("./just data --pub", []),
        ("./just push-kernel split=cv", ["split=cv", "split=cv2", "split=cv3", "split=cv4"]),
        ("./just kernel-status ", ["kernel=", "wait="]),
    ],
)
def test_a_shell_that_asks_is_told_the_verbs_and_the_words_of_a_verb(line, words):
    asked = {"_MALRULE_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = _run("main([], None)", **asked, _TYPER_COMPLETE_ARGS=line)
    assert [said.partition("\t")[0] for said in done.stdout.split("\n") if said] == words, done.stderr


def test_ctrl_c_ends_with_130_and_a_sentence(publish, server, monkeypatch):
    def stop(self, *_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("requests.Session.send", stop)
    outcome = publish("push-code")
    assert (outcome.code, outcome.err) == (130, "stopped; the same command goes on from here\n")


def test_what_nobody_foresaw_is_a_plain_traceback():
    done = _run('main(["push-code"], None)', KAGGLE_USERNAME="a", KAGGLE_KEY="b", PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 1 and "Traceback (most recent call last):" in done.stderr and "│" not in done.stderr


def test_a_request_has_what_was_said_and_else_the_defaults():
    said = _request("push-models", "iter=1", "split=cv", "quantized", "--public")
    assert (said.iteration, str(said.run), said.tag) == ("iter1", "runs/iter1/cv", "iter1-cv")
    assert (said.quantized, said.public, said.dry_run, said.again) == (("embedder", "reranker"), True, False, False)
    assert (said.wait, said.competition) == (4 * 3600, TASK.slug)
    assert _request("release", "iter=small1").tag == "small1"
    assert [_request(verb).wait for verb in ("push-code", "kernel-status", "data")] == [3600, 0, 0]


def _request(name: str, *typed: str) -> Request:
    verb = next(verb for verb in VERBS if verb.name == name)
    return read_request(verb, verb.words.read(typed))
