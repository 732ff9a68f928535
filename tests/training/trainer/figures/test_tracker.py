"""Guards the tracker: nothing is imported without one, only numbers go out, and its faults cost no training."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from shared.settings.sections import Machine
from training.trainer.figures import tracker


@pytest.fixture
def library(monkeypatch):
    """A module that stands in for each tracker and writes down how it was called."""
    calls = []
    module = SimpleNamespace(
        **{
            name: (lambda *words, called=name, **more: calls.append((called, words, more)))
            for name in ("init", "log", "finish", "set_experiment", "start_run", "log_params", "log_metrics", "end_run")
        }
    )
    for name in tracker.OPENERS:
        monkeypatch.setitem(sys.modules, name, module)
    return SimpleNamespace(calls=calls, module=module)


SETTINGS = {"train": {"rate": 1e-4, "base": "/home/me/secret", "fp8": False, "lora": {"rank": 8, "targets": ["q"]}}}
SENT = {"train/rate": 1e-4, "train/fp8": False, "train/lora/rank": 8}


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_figures_go_to_trackio_and_wandb_in_one_language(name, library):
    with tracker.tracking(Machine(tracker=name), "iter1/cv/train_reranker", SETTINGS):
        tracker.tell({"loss": 0.5, "all": {"map@25": 0.25, "note": "text"}}, 3)
    assert library.calls == [
        ("init", (), {"project": "malrule", "name": "iter1/cv/train_reranker", "config": SENT}),
        ("log", ({"loss": 0.5, "all/map@25": 0.25},), {"step": 3}),
        ("finish", (), {}),
    ]


def test_mlflow_gets_keys_that_it_knows(library):
    with tracker.tracking(Machine(tracker="mlflow"), "iter1/cv/train_reranker", SETTINGS):
        tracker.tell({"all": {"map@25": 0.25}}, 3)
    assert library.calls == [
        ("set_experiment", ("malrule",), {}),
        ("start_run", (), {"run_name": "iter1/cv/train_reranker"}),
        ("log_params", (SENT,), {}),
        ("log_metrics", ({"all/map_at_25": 0.25},), {"step": 3}),
        ("end_run", (), {}),
    ]


def test_a_tracker_that_fails_is_said_once_and_the_work_goes_on(library, capsys):
    def fail(*_, **__):
        raise ConnectionError("no network")

    library.module.log = fail
    with tracker.tracking(Machine(tracker="wandb"), "a", {}):
        tracker.tell({"loss": 1.0}, 1)
        tracker.tell({"loss": 1.0}, 2)
    assert capsys.readouterr().err == "the tracker fails (ConnectionError: no network): its figures are left out\n"


def test_without_a_tracker_nothing_is_sent(library):
    with tracker.tracking(Machine(), "a", SETTINGS):
        tracker.tell({"loss": 1.0}, 1)
    tracker.tell({"loss": 1.0}, 2)
    assert library.calls == []


def test_no_tracker_is_imported_before_one_is_named():
    code = (
        "import sys, training.trainer.figures.tracker; print(sorted({'trackio', 'wandb', 'mlflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_tracker_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(tracker.importlib.util, "find_spec", lambda name: None)
    tracker.check_tracker(Machine())
    with pytest.raises(ValueError, match="machine.tracker is wandb, which is not installed: uv pip install wandb"):
        tracker.check_tracker(Machine(tracker="wandb"))
