"""Guards untrained.py: what every trained ranking is compared with, and who mined."""

from pathlib import Path

import polars as pl
import pytest

from shared.artifacts.manifest import write_manifest
from shared.settings.load import load_settings, write_settings
from shared.task.tables import POOLS, RANKS
from training.__main__ import main
from training.analysis.untrained import best_untrained, describe_best, describe_reranking, name_miner


def evaluated(name, folds="folds", **ranks):
    """A run whose rankings have the ranks of `ranks`: pairs of a question each, of which the even places are seen."""
    run = Path("runs", name, "cv")
    write_settings(load_settings(name, ["evaluate.bootstrap=50"]), run)
    (run / "prepare").mkdir()
    (run / "prepare/x").write_text(folds, encoding="utf-8")
    write_manifest(run / "prepare", {})
    rows = [
        (pool, ranking, f"{n}_A", n, 10, n % 2 == 0, rank)
        for pool in POOLS
        for ranking, places in ranks.items()
        for n, rank in enumerate(places)
    ]
    RANKS.write(pl.DataFrame(rows, schema=RANKS.schema, orient="row"), run / "evaluate")
    write_manifest(run / "evaluate", {"inputs": {}})
    return run


def test_the_first_iterations_untrained_miner_is_a_baseline_of_the_later_ones_too(place):
    evaluated("demo0", bm25=[4, 4], miner=[1, 2], reranked=[1, 1])
    later = evaluated("demo1", bm25=[4, 4], untrained=[5, 5], miner=[1, 1], reranked=[1, 2])
    best = best_untrained([later], "labelled")
    # demo1's own miner is demo0's trained embedder; demo0's is untrained: 0.25 * 1 + 0.75 * 1/2
    assert best.name == "models/minilm (the first miner, untrained)" and best.figure == pytest.approx(0.625)
    assert "0.625; reranked has 0.625, which is +0.000 (95 %: +0.000 to +0.000)" in describe_best([later], "labelled")


def test_a_first_iteration_that_holds_out_other_rows_is_no_baseline(place):
    evaluated("demo0", folds="others", miner=[1, 1], reranked=[1, 1])
    later = evaluated("demo1", bm25=[4, 4], untrained=[5, 5], reranked=[1, 2])
    assert best_untrained([later], "labelled").name == "BM25"
    assert describe_best([later], "labelled").startswith("best without training, labelled pool: BM25, 0.250; reranked")
    assert best_untrained([evaluated("small0", reranked=[1, 1])], "labelled") is None


def test_a_reranker_that_makes_the_order_worse_is_told_of(place):
    run = evaluated("demo0", retrieved=[1] * 40, reranked=[2] * 40)
    said = describe_reranking([run], "labelled")  # 1 against 1/2 for every pair, seen and unseen
    assert said.startswith("the reranker makes the order worse, labelled pool: 1.000 as retrieved, 0.500 as reranked")
    assert "-0.500 (95 %: -0.500 to -0.500)" in said and "--depth 1" in said
    # one of 40 pairs is worse: nobody can tell
    assert describe_reranking([evaluated("demo1", retrieved=[1] * 40, reranked=[1] * 39 + [2])], "labelled") == ""
    assert describe_reranking([evaluated("small0", reranked=[1, 1])], "labelled") == ""


def test_a_miner_is_named():
    assert name_miner(load_settings("demo0")) == "models/minilm, untrained"
    assert name_miner(load_settings("demo1")) == "demo0's embedder"


def test_a_comparison_and_the_table_of_runs_have_the_best_without_training(place, capsys):
    evaluated("demo0", bm25=[4, 4], miner=[1, 2], reranked=[1, 1])
    evaluated("demo1", bm25=[4, 4], reranked=[1, 2])
    assert main(["compare", "a=runs/demo0/cv", "b=runs/demo1/cv"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "a 1.0000 reranked of runs/demo0/cv, labelled pool" in said
    for side in "ab":
        assert (
            f"{side}: best without training, labelled pool: models/minilm (the first miner, untrained), 0.625" in said
        )
