"""Guards end.py: a training ends with its figures beside the baselines, and with the next command."""

import json
from pathlib import Path

from training.pipeline.ahead.end import closing_lines


def write(run, rankings):
    (run / "evaluate").mkdir(parents=True)
    (run / "evaluate/metrics.json").write_text(json.dumps({"labelled": rankings}), encoding="utf-8")


def figures(value):
    return {"map@25": value, "low": value - 0.1, "high": value + 0.1}


def test_figures_stand_beside_the_baselines_in_order_and_name_the_next_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Path("runs/iter1@slow/cv2")
    values = {"reranked": 0.3, "retrieved": 0.25, "bm25": 0.2, "popularity": 0.1}
    write(run, {name: {"weighted": figures(value), "all": figures(0.9)} for name, value in values.items()})
    lines = closing_lines(run)
    assert lines[0].startswith("weighted MAP@25 o")
    assert [line.split()[0] for line in lines[1:-1]] == ["0.100", "0.200", "0.250", "0.300"]
    assert lines[-2].endswith("as reranked, 95 % interval 0.200 to 0.400")
    assert lines[-1].startswith("next: ./just report iter=1@slow split=cv2, ")


def test_a_full_run_goes_on_to_kaggle_and_one_that_was_never_evaluated_says_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert closing_lines(Path("runs/iter1/full")) == ["next: ./just push-models iter=1 --dry-run"]
    assert closing_lines(Path("runs/iter1/cv")) == []
