"""Guards runs.py, code_version.py, leaderboard.py: runs, scores, which code made what."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from shared.artifacts.leaderboard import read_score
from shared.artifacts.lineage import Lineage
from shared.artifacts.manifest import write_manifest
from training.__main__ import main
from training.analysis.runs import Scored, describe_agreement, find_runs, pair_scores
from training.run_folder.code_version import code_version, short_version

FIGURES = {"map@25": 0.25, "low": 0.2, "high": 0.3, "recall@25": 0.7, "pairs": 9}


def finish(run, stage, figures=None, **lineage):
    folder = Path("runs", run, stage)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "done").write_text(str(lineage), encoding="utf-8")
    if figures:
        parts = {part: {**FIGURES, "map@25": figures} for part in ("all", "seen", "unseen", "weighted")}
        (folder / "metrics.json").write_text(json.dumps({"labelled": {"reranked": parts}}), encoding="utf-8")
    write_manifest(folder, {"seconds": 1000.4, "commit": "0123456789", **lineage})


def test_a_row_has_figures_of_the_reranked_the_sum_of_the_seconds_and_every_version(place, capsys):
    finish("iter1/cv", "prepare")
    finish("iter1/cv", "evaluate", 0.25, dirty=True)
    finish("iter0/full", "merge_reranker", commit="", code="feed" * 16)
    (place / "runs/demo/input").mkdir(parents=True)
    assert main(["runs"]) == 0
    first, last = find_runs()
    assert (first.iteration, first.split, first.figures, first.versions) == ("iter0", "full", {}, ("code feedfee",))
    assert (last.seconds, last.versions) == (2000.8, ("0123456", "0123456+"))
    said = capsys.readouterr().out
    assert "0.250" in said and "(0.200-0.300)" in said and "2,001" in said and "0.700" in said


def test_iterations_stand_in_the_order_of_their_numbers(place):
    for name in ("iter10", "iter2", "demo0"):
        finish(f"{name}/cv", "prepare")
    assert [run.iteration for run in find_runs()] == ["demo0", "iter2", "iter10"]


def test_a_score_is_kept_beside_the_run_and_a_later_private_one_joins_it(place, capsys):
    assert main(["lb", "iter=1", "public=0.505"]) == 0
    assert main(["lb", "iter=1", "private=0.49"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "runs/iter1/full/submission.json: public 0.505, private 0.490"
    assert main(["runs"]) == 0
    assert "0.505" in capsys.readouterr().out


def test_what_submit_recorded_is_the_same_record(place):
    path = place / "runs/iter1/full/submission.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps({"ref": 7, "public_score": "0.481", "private_score": "", "time": "2026"}), encoding="utf-8"
    )
    assert read_score(path.parent).public == 0.481 and read_score(path.parent).private is None
    assert main(["lb", "iter=1", "private=0.47"]) == 0
    assert json.loads(path.read_text(encoding="utf-8"))["ref"] == 7 and read_score(path.parent).private == 0.47


def test_a_score_of_earlier_models_is_marked_and_not_compared(place, capsys):
    finish("demo1/cv", "evaluate", 0.25)
    finish("demo1/full", "merge_reranker")
    assert main(["lb", "iter=demo1", "public=0.505"]) == 0
    assert [pair.public for pair in pair_scores(find_runs())] == [0.505]
    finish("demo1/full", "merge_reranker", seed="another")  # trained again
    assert pair_scores(find_runs()) == []
    assert main(["runs"]) == 0
    said = capsys.readouterr().out
    assert "0.505*" in said and "demo1/full: its score is of earlier models" in said
    assert main(["lb", "iter=demo1", "private=0.4"]) == 0  # of the new ones, whose public score nobody has seen
    assert read_score(Path("runs/demo1/full")).public is None


def test_a_run_that_holds_nothing_out_is_compared_by_the_cv_of_its_iteration(place):
    finish("demo1/cv", "evaluate", 0.25)
    finish("demo0/cv2", "evaluate", 0.125)
    main(["lb", "iter=demo1", "public=0.505"])
    main(["lb", "iter=demo0", "split=cv2", "public=0.4"])
    main(["lb", "iter=demo0", "split=full", "public=0.3"])  # there is no split=cv of demo0
    assert [(pair.name, pair.cv, pair.public) for pair in pair_scores(find_runs())] == [
        ("demo0/cv2", 0.125, 0.4),
        ("demo1/full", 0.25, 0.505),
    ]


def test_the_rank_correlation_takes_three_runs_and_an_order():
    pairs = [
        Scored(str(n), cv, 0, 1, lb) for n, (cv, lb) in enumerate([(0.1, 0.3), (0.2, 0.5), (0.3, 0.4), (0.4, 0.6)])
    ]
    assert describe_agreement(pairs[:2]).endswith("2 of the 3 scored runs that a rank correlation takes")
    # ranks 1 2 3 4 and 1 3 2 4: Spearman 1 - 6 * 2 / (4 * 15) = 0.8; of 6 pairs 5 agree: Kendall (5 - 1) / 6 = 0.67
    assert describe_agreement(pairs).endswith("4 runs: rank correlation 0.80 (Spearman), 0.67 (Kendall)")
    same = [Scored("a", 0.1, 0, 1, 0.5)] * 3
    assert "no order to compare" in describe_agreement(same)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["runs"], "no run in runs/"),
        (["runs", "iter=1"], "'iter=1': nothing stands behind this command"),
        (["lb"], "say which iteration and its score"),
        (["lb", "iter=1"], "say which iteration and its score"),
        (["lb", "public=0.5"], "say which iteration and its score"),
        (["lb", "iter=9", "public=0.5"], "there is no iteration 'iter9'"),
        (["lb", "iter=1", "public=50.5"], "public=50.5: a score is a number from 0 to 1"),
        (["lb", "iter=1", "public=nan"], "public=nan: a score is a number from 0 to 1"),
        (["lb", "iter=1", "public=0.5", "private=-0.1"], "private=-0.1: a score is a number from 0 to 1"),
        (["lb", "iter=1", "public="], "public=: a score is a number from 0 to 1"),
        (["lb", "iter=1", "split=all", "public=0.5"], "split=all: there are cv, cv2"),
        (["lb", "iter=1", "score=0.5"], "'score=0.5' is none of iter=..."),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_nothing_is_written(place, capsys, arguments, sentence):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not (place / "runs").exists()


def test_a_broken_record_is_named(place, capsys):
    (place / "runs/iter1/full").mkdir(parents=True)
    (place / "runs/iter1/full/submission.json").write_text('{"public_score": "soon"}', encoding="utf-8")
    assert main(["runs"]) == 2
    assert "runs/iter1/full/submission.json holds no score: remove it" in capsys.readouterr().err


@pytest.fixture
def checkout(tmp_path) -> Path:
    for folder in ("shared", "inference", "training"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text(folder, encoding="utf-8")
    return tmp_path


def git(place, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "-C", str(place), *who, *arguments], check=True, capture_output=True)


def test_a_version_is_the_commit_and_whether_the_code_differs_from_it(checkout):
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "a")
    (checkout / "runs").mkdir()
    (checkout / "runs/notes").write_text("not code", encoding="utf-8")
    clean = code_version(checkout)
    assert len(clean["commit"]) == 40 and clean["dirty"] is False
    assert short_version(Lineage(**clean)) == clean["commit"][:7]
    (checkout / "shared/b.py").write_text("new", encoding="utf-8")
    dirty = code_version(checkout)
    assert dirty["commit"] == clean["commit"] and dirty["dirty"] is True and dirty["code"] != clean["code"]
    assert short_version(Lineage(**dirty)) == f"{clean['commit'][:7]}+"


def test_without_git_the_code_has_a_digest_all_the_same(checkout, monkeypatch):
    git(checkout, "init", "-q")
    git(checkout, "commit", "-qm", "a", "--allow-empty")
    archive = checkout / "unpacked"
    archive.mkdir()
    for folder in ("shared", "inference", "training"):
        os.rename(checkout / folder, archive / folder)
    inside = code_version(archive)  # the repository around it is not the archive's
    assert (inside["commit"], inside["dirty"]) == ("", False)
    monkeypatch.setenv("PATH", str(checkout))  # no git at all
    assert code_version(archive) == inside and short_version(Lineage(**inside)) == f"code {inside['code'][:7]}"
    assert short_version(Lineage()) == ""
