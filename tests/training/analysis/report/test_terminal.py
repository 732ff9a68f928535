"""Guards terminal.py: the tables say what there is, and what has changed since."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from shared.artifacts.manifest import read_manifest, write_manifest
from shared.task.current import TASK
from shared.task.eedi import EEDI
from tests.training.analysis.finished_run import finish_run
from training.analysis import runs
from training.analysis.report import terminal
from training.analysis.report.terminal import print_report


@pytest.fixture
def run(place):
    return finish_run(Path("data"), questions=60)


def test_a_stage_that_was_cleaned_is_missing_in_the_table_and_stops_nothing(run, capsys):
    shutil.rmtree(run / "train_reranker")
    assert print_report([run]) == [run]
    said = capsys.readouterr().out
    assert "merge_reranker" in said and "train_reranker" not in said and "evaluated before" not in said


def test_an_evaluation_of_other_models_is_named(run, capsys):
    folder = run / "merge_reranker"
    lineage = read_manifest(folder)["lineage"]
    (folder / "weights").write_text("others", encoding="utf-8")
    write_manifest(folder, lineage)
    print_report([run])
    assert f"{run} was evaluated before {run}/merge_reranker changed" in capsys.readouterr().out


def test_figures_of_another_metric_are_refused_in_a_sentence(run, monkeypatch):
    metric = replace(TASK.metric, name="recall", depth=10)
    for module in (terminal, runs):
        monkeypatch.setattr(module, "TASK", replace(EEDI, metric=metric))
    with pytest.raises(
        ValueError, match=r"was measured with another metric than Recall@10: clean the run, train again"
    ):
        print_report([run])
