"""Runs the comparison of quality with tiny models on the made-up quiz."""

import json

import pytest
import torch

from benchmarks.quality.__main__ import compare, sides_of
from shared.settings.load import write_settings
from shared.settings.sections import Settings
from shared.task.tables import CANDIDATES, GROUPS, MISCONCEPTIONS, QUERIES
from tests.training.tiny import all_candidates
from training.mining.hard_negatives import pick_negatives
from training.run_folder.stage_context import StageContext

CPU = torch.device("cpu")


@pytest.fixture
def context(tiny_causal, tiny_bert, queries, misconceptions, tmp_path):
    """A run whose models are tiny and whose groups hold every other misconception."""
    recipe = {"epochs": 1, "batch": 4, "group": 4, "depth": 8}
    settings = Settings.model_validate_json(
        json.dumps(
            {
                "machine": {"device": "cpu", "profile": "cpu"},
                "miner": {"base": str(tiny_bert), "pooling": "mean", "dtype": "float32"},
                "embedder": {"base": str(tiny_bert), "pooling": "mean", "dtype": "float32", "query_tokens": 200},
                "reranker": {"base": str(tiny_causal), "dtype": "float32", "query_tokens": 200},
                "train_embedder": {**recipe, "lora": {"targets": ["query", "key", "value", "dense"]}},
                "merge_embedder": {"epoch": 1},
                "train_reranker": recipe,
                "merge_reranker": {"epoch": 1},
            }
        )
    )
    run = tmp_path / "runs" / "tiny" / "cv"
    write_settings(settings, run)
    QUERIES.write(queries, run / "prepare")
    MISCONCEPTIONS.write(misconceptions, run / "prepare")
    candidates = all_candidates(queries, misconceptions)
    groups = pick_negatives(queries, candidates, lowest=0, highest=12, count=8, seed="mine")
    for stage in ("mine_for_embedder", "mine_for_reranker"):
        CANDIDATES.write(candidates, run / stage)
        GROUPS.write(groups, run / stage)
    return StageContext(settings, run, tmp_path / "unused", "")


@pytest.mark.parametrize("model", ["reranker", "embedder"])
def test_both_sides_are_evaluated_on_the_same_pairs_and_no_text_is_written(model, context, queries, tmp_path):
    out = tmp_path / "out" / "quality.json"
    changed = f"train_{model}.rate=1e-3 train_{model}.epochs=2"
    compare(context, model, sides_of(context, model, [changed]), [0], out, CPU)
    found = json.loads(out.read_text(encoding="utf-8"))
    assert {"ours", f"ours, {changed}"} <= set(found["sides"])
    for [run] in found["sides"].values():
        assert run["all"]["pairs"] == found["before"]["all"]["pairs"] == 4  # the labelled pairs of the validation fold
        assert run["seconds"] > 0
    assert not any(text in out.read_text(encoding="utf-8") for text in queries["question"])
