"""Guards combine.py: several adapters become one that adds exactly what the mean, the slerp or the share would add."""

import shutil
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.engines.transformers.engine import HFScorer, load_causal, load_reranker
from shared.artifacts.manifest import write_manifest
from shared.settings.load import load_settings
from shared.settings.sections import Settings
from tests.training.export.test_merge import PROMPTS, sections_of, tensors_of, two_adapters
from tests.training.tiny import CPU
from training.export.combine import combine_adapters, slerp_weights
from training.export.merge import merge
from training.export.merge_models import merge_reranker
from training.run_folder.base_models import weights_digest
from training.run_folder.stage_context import StageContext


def test_a_slerp_turns_and_keeps_the_length():
    # a right angle: each half of the arc is 45 degrees, sin 45 / sin 90, and the length stays 1
    assert slerp_weights(np.eye(2)) == pytest.approx([sqrt(0.5), sqrt(0.5)])
    # 60 degrees: sin 30 / sin 60; the mean, of 0.5 each, were only sqrt(3) / 2 long
    assert slerp_weights(np.array([[1, 0.5], [0.5, 1]])) == pytest.approx([1 / sqrt(3), 1 / sqrt(3)])
    # a third one at a right angle to both: a third of 90 degrees to it, sin 60 and sin 30
    assert slerp_weights(np.eye(3)) == pytest.approx([sqrt(0.75 * 0.5), sqrt(0.75 * 0.5), 0.5])


def test_a_slerp_of_parallel_opposite_or_empty_deltas_is_their_mean():
    for products in ([[4.0, 2.0], [2.0, 1.0]], [[1.0, -1.0], [-1.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]], [[0.0] * 2] * 2):
        assert slerp_weights(np.array(products)) == pytest.approx([0.5, 0.5])
    assert slerp_weights(np.array([[3.0]])) == [1.0]


def deltas_of(base: Path, adapters: list[Path], place: Path) -> list[dict[str, torch.Tensor]]:
    """What each adapter adds to each weight of the base."""
    before, added = tensors_of(base), []
    for number, adapter in enumerate(adapters):
        merge(base, adapter, place / f"merged_{number}")
        added.append({name: after - before[name] for name, after in tensors_of(place / f"merged_{number}").items()})
    return added


def test_a_slerp_of_adapters_is_that_of_what_they_add_weight_by_weight(tiny_qwen, tmp_path):
    adapters = two_adapters(tiny_qwen, tmp_path)
    combine_adapters(adapters, tmp_path / "both", "slerp")
    one, two, both = deltas_of(tiny_qwen, [*adapters, tmp_path / "both"], tmp_path)
    adapted = [name for name in one if one[name].any()]
    assert len(adapted) == 14
    for name in adapted:
        a, b = one[name].double(), two[name].double()
        angle = torch.acos((a * b).sum() / (a.norm() * b.norm()))
        wanted = (a + b) * torch.sin(angle / 2) / torch.sin(angle)
        torch.testing.assert_close(both[name].double(), wanted, atol=1e-5, rtol=0)


def test_a_share_of_an_adapter_adds_that_share_and_of_a_mean_that_of_the_mean(tiny_qwen, tmp_path):
    one, two = two_adapters(tiny_qwen, tmp_path)
    combine_adapters([one], tmp_path / "part", share=0.8)
    combine_adapters([one, two], tmp_path / "mean", share=0.5)
    whole, other, part, mean = deltas_of(tiny_qwen, [one, two, tmp_path / "part", tmp_path / "mean"], tmp_path)
    for name in whole:
        torch.testing.assert_close(part[name], 0.8 * whole[name], atol=1e-6, rtol=0)
        torch.testing.assert_close(mean[name], 0.25 * (whole[name] + other[name]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "said", [{"epochs": (1,), "method": "slerp", "share": 0.8}, {"epochs": (1,)}, {"share": 0.6}], ids=str
)
def test_a_merge_of_epochs_and_shares_is_proven_and_its_lineage_names_what_is_in_it(
    said, tiny_qwen, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    trained, adapters = Path("runs/x/cv/train_reranker"), two_adapters(tiny_qwen, tmp_path)
    for epoch, adapter in enumerate(adapters, 1):
        shutil.copytree(adapter, trained / f"epoch_{epoch}")
    write_manifest(trained, {"base_sha256": weights_digest(tiny_qwen)})
    sections, out = sections_of(tiny_qwen, **said), tmp_path / "out"
    sections["merge_reranker"]["epoch"] = 2
    out.mkdir()
    lineage = merge_reranker(StageContext(Settings(**sections), trained.parent, out, ""))
    assert lineage["adapter"] == "train_reranker/epoch_2"
    assert lineage["averaged"] == {
        f"{trained}/epoch_{epoch}": weights_digest(adapters[epoch - 1]) for epoch in said.get("epochs", ())
    }
    missed = float(capsys.readouterr().out.rpartition("misses ")[2].partition("%")[0])
    assert missed < 0.1  # of the combined adapter's effect, in 32 bits
    used = [adapters[1], *(adapters[epoch - 1] for epoch in said.get("epochs", ()))]
    combine_adapters(used, tmp_path / "by_hand", said.get("method", "mean"), said.get("share", 1.0))
    merge(tiny_qwen, tmp_path / "by_hand", tmp_path / "wanted")
    served = HFScorer(load_reranker(out, "float32", CPU), 0, 100).score(PROMPTS)
    whole = HFScorer(load_causal(tmp_path / "wanted", "float32", CPU), 101, 100).score(PROMPTS)
    np.testing.assert_allclose(served, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["merge_reranker.epochs=[1, 5]"], "merge_reranker.epochs: 5 is never trained; train_reranker.epochs is 4"),
        (["merge_reranker.epochs=[2, 3]"], r"merge_reranker.epochs: \[2, 3\] and epoch, 3, have an epoch twice"),
        (["merge_embedder.share=0"], "merge_embedder.share: .*greater than 0"),
        (["merge_embedder.share=1.1"], "merge_embedder.share: .*less than or equal to 1"),
        (["merge_embedder.method=ties"], "merge_embedder.method: .*'mean' or 'slerp'"),
        (["merge_embedder.share=0.8", "train_embedder.lora.dora=true"], "lora.dora: a DoRA adapter is merged whole"),
    ],
)
def test_a_merge_that_no_adapter_could_follow_is_refused_before_anything_is_trained(overrides, words):
    with pytest.raises(ValueError, match=words):
        load_settings("iter0", overrides)
