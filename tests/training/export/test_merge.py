"""Guards merge.py: the merged model is peft's own to the last digits, whole, and proven before it is used."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from inference.engines.transformers.engine import HFEncoder, HFScorer, load_backbone, load_causal, load_reranker
from shared.artifacts.manifest import write_manifest
from shared.settings.sections import Lora, Settings
from tests.training.tiny import BERT, CPU, DECODER, randomise
from training.export.combine import combine_adapters
from training.export.merge import check_merged, merge
from training.export.merge_models import merge_reranker
from training.run_folder.base_models import weights_digest
from training.run_folder.stage_context import StageContext
from training.trainer.lora import add_lora, save_adapter

PROMPTS = [[2, 30, 31, 50], [2, 30, 31, 51, 52], [2, 40, 53, 54]]
CASES = {  # what the adapter was trained on -> the checkpoint it is merged into
    "causal, tied": (load_causal, "tiny_causal", DECODER, 14),  # 7 in each of 2 layers
    "causal, untied": (load_causal, "tiny_qwen", DECODER, 14),
    "without head, into a causal checkpoint, tied": (load_backbone, "tiny_causal", DECODER, 14),
    "without head, into a causal checkpoint, untied": (load_backbone, "tiny_qwen", DECODER, 14),
    "bert": (load_backbone, "tiny_bert", BERT, 13),  # 6 in each of 2 layers and the pooler's dense
}


def make_adapter(load, base: Path, targets, folder: Path) -> Path:
    adapted = add_lora(load(base, "float32", CPU), Lora(rank=4, alpha=12, targets=targets), seed="x")
    save_adapter(randomise(adapted), folder)
    return folder


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for shard in folder.glob("*.safetensors") for name, tensor in load_file(shard).items()}


def scores_of(folder: Path, adapter: Path | None = None) -> np.ndarray:
    model = load_causal(folder, "float32", CPU)
    if adapter:
        model = PeftModel.from_pretrained(model, str(adapter)).eval().get_base_model()
    return HFScorer(model, 101, 100).score(PROMPTS)


@pytest.mark.parametrize("case", CASES)
def test_the_merged_weights_are_those_of_pefts_merge_and_unload(case, request, tmp_path):
    load, name, targets, count = CASES[case]
    base = request.getfixturevalue(name)
    adapter = make_adapter(load, base, targets, tmp_path / "adapter")
    assert merge(base, adapter, tmp_path / "out") == count
    expected = PeftModel.from_pretrained(load(base, "float32", CPU), str(adapter)).merge_and_unload().state_dict()
    before, after = tensors_of(base), tensors_of(tmp_path / "out")
    assert after.keys() == before.keys()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert len(changed) == count
    for key in changed:
        theirs = expected[key] if key in expected else expected[key.removeprefix("model.")]
        torch.testing.assert_close(after[key], theirs, atol=1e-6, rtol=0)


def two_adapters(base: Path, place: Path) -> list[Path]:
    """Adapters of other ranks and scales: alpha / rank is 3 and 0.5."""
    folders = [place / "one", place / "two"]
    for seed, (folder, lora) in enumerate(zip(folders, ((4, 12), (6, 3)), strict=True)):
        settings = Lora(rank=lora[0], alpha=lora[1], targets=DECODER)
        adapted = add_lora(load_causal(base, "float32", CPU), settings, seed=str(seed))
        save_adapter(randomise(adapted, seed), folder)
    return folders


def test_an_average_of_adapters_is_the_mean_of_their_deltas(tiny_qwen, tmp_path):
    one, two = two_adapters(tiny_qwen, tmp_path)
    combine_adapters([one, two], tmp_path / "both")
    for folder in (one, two, tmp_path / "both"):
        merge(tiny_qwen, folder, tmp_path / f"merged_{folder.name}")
    merged = [tensors_of(tmp_path / f"merged_{name}") for name in ("one", "two", "both")]
    for name in tensors_of(tiny_qwen):
        mean = (merged[0][name] + merged[1][name]) / 2
        torch.testing.assert_close(merged[2][name], mean, atol=1e-6, rtol=0)
    # peft joins adapters in the same way, and its scale is taken into B
    model = PeftModel.from_pretrained(load_causal(tiny_qwen, "float32", CPU), str(one), adapter_name="one")
    model.load_adapter(str(two), "two")
    model.add_weighted_adapter(["one", "two"], [0.5, 0.5], "mean", combination_type="cat")
    model.set_adapter("mean")
    theirs = HFScorer(model.eval().get_base_model(), 101, 100).score(PROMPTS)
    np.testing.assert_allclose(scores_of(tiny_qwen, tmp_path / "both"), theirs, atol=1e-5)


def test_an_average_of_one_adapter_with_itself_is_that_adapter(tiny_qwen, tmp_path):
    one, _ = two_adapters(tiny_qwen, tmp_path)
    combine_adapters([one, one], tmp_path / "both")
    np.testing.assert_allclose(scores_of(tiny_qwen, tmp_path / "both"), scores_of(tiny_qwen, one), atol=1e-5)


def test_the_lineage_of_an_averaged_model_names_every_adapter(tiny_qwen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    adapters = two_adapters(tiny_qwen, tmp_path)
    for split, adapter in zip(("full", "cv2"), adapters, strict=True):
        folder = Path("runs/x", split, "train_reranker")
        shutil.copytree(adapter, folder / "epoch_1")
        write_manifest(folder, {"base_sha256": weights_digest(tiny_qwen)})
    sections = sections_of(tiny_qwen, average=("cv2",))
    out = tmp_path / "out"
    out.mkdir()
    lineage = merge_reranker(StageContext(Settings(**sections), Path("runs/x/full"), out, ""))
    assert lineage["adapter"] == "train_reranker/epoch_1"
    assert lineage["adapter_sha256"] == weights_digest(adapters[0])
    assert lineage["averaged"] == {"runs/x/cv2/train_reranker/epoch_1": weights_digest(adapters[1])}
    combine_adapters(adapters, tmp_path / "both")
    served = HFScorer(load_reranker(out, "float32", CPU), 0, 100).score(PROMPTS)
    np.testing.assert_allclose(served, scores_of(tiny_qwen, tmp_path / "both"), atol=1e-5)
    sections["merge_reranker"]["average"] = ("cv3",)
    with pytest.raises(ValueError, match="runs/x/cv3/train_reranker/epoch_1 does not exist"):
        merge_reranker(StageContext(Settings(**sections), Path("runs/x/full"), out, ""))


def sections_of(base: Path, **merging) -> dict[str, dict]:
    return {
        "machine": {"device": "cpu", "profile": "cpu"},
        "embedder": {"base": str(base)},
        "miner": {"base": str(base)},
        "reranker": {"base": str(base), "dtype": "float32"},
        "merge_embedder": {"epoch": 1},
        "merge_reranker": {"epoch": 1, **merging},
    }


def test_a_score_that_is_no_number_names_the_adapter_that_made_it(tiny_qwen, tmp_path):
    folder = tmp_path / "runs/x/full/train_reranker"
    adapter = make_adapter(load_causal, tiny_qwen, DECODER, folder / "epoch_1")
    tensors = load_file(adapter / "adapter_model.safetensors")
    save_file({name: tensor * 1e30 for name, tensor in tensors.items()}, adapter / "adapter_model.safetensors")
    write_manifest(folder, {"base_sha256": weights_digest(tiny_qwen)})
    with pytest.raises(ValueError, match=f"{tiny_qwen} with {adapter}: prompt 0 of 16 gave NaN or infinity"):
        merge_reranker(StageContext(Settings(**sections_of(tiny_qwen)), folder.parent, tmp_path / "out", ""))


def test_adapters_of_different_weights_have_no_average(tiny_qwen, tmp_path):
    adapters = [
        make_adapter(load_causal, tiny_qwen, DECODER, tmp_path / "a"),
        make_adapter(load_causal, tiny_qwen, DECODER[:3], tmp_path / "b"),
    ]
    with pytest.raises(ValueError, match=r"do not adapt the same weights, model.layers.0.mlp.down_proj for one"):
        combine_adapters(adapters, tmp_path / "both")
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen"])
def test_the_merged_model_answers_as_base_and_adapter_do(name, request, tmp_path):
    base = request.getfixturevalue(name)
    adapter = make_adapter(load_causal, base, DECODER, tmp_path / "adapter")
    merge(base, adapter, tmp_path / "out")
    adapted, merged = scores_of(base, adapter), scores_of(tmp_path / "out")
    np.testing.assert_allclose(merged, adapted, atol=1e-5)
    assert np.abs(merged - scores_of(base)).max() > 0.01  # else nothing was merged
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").config.tie_word_embeddings == (name == "tiny_causal")


def test_a_merged_embedder_answers_as_base_and_adapter_do(tiny_bert, tmp_path):
    adapter = make_adapter(load_backbone, tiny_bert, BERT, tmp_path / "adapter")
    merge(tiny_bert, adapter, tmp_path / "out")
    adapted = PeftModel.from_pretrained(load_backbone(tiny_bert, "float32", CPU), str(adapter)).eval().get_base_model()
    merged = load_backbone(tmp_path / "out", "float32", CPU)
    rows = [[2, 40, 41, 3], [2, 50, 3]]
    np.testing.assert_allclose(*(HFEncoder(model, "mean", 100).encode(rows) for model in (adapted, merged)), atol=1e-6)


# seed: merging lost lm_head with only a warning (MAP 0.549 -> 0.149)
def test_an_untied_head_is_in_the_merged_checkpoint_to_the_bit_and_a_tied_one_is_not(tiny_causal, tiny_qwen, tmp_path):
    for base, kept in ((tiny_qwen, True), (tiny_causal, False)):
        for load in (load_causal, load_backbone):
            out = tmp_path / f"{base.name}{load.__name__}"
            merge(base, make_adapter(load, base, DECODER, out / "adapter"), out / "merged")
            before, after = tensors_of(base), tensors_of(out / "merged")
            assert ("lm_head.weight" in after) == ("lm_head.weight" in before) == kept
            if kept:
                assert torch.equal(after["lm_head.weight"], before["lm_head.weight"])
                loaded = load_causal(out / "merged", "float32", CPU)
                assert torch.equal(loaded.lm_head.weight, before["lm_head.weight"])


def _other_head(tensors):
    tensors["lm_head.weight"] = tensors["lm_head.weight"].flip(0).contiguous()


def _spoil_layer(tensors):
    tensors["model.layers.1.mlp.down_proj.weight"] *= 1.5


@pytest.mark.parametrize("spoil", [_other_head, _spoil_layer])
def test_a_merged_model_that_answers_otherwise_is_refused(tiny_qwen, spoil, tmp_path):
    adapter, out = make_adapter(load_causal, tiny_qwen, DECODER, tmp_path / "adapter"), tmp_path / "out"
    merge(tiny_qwen, adapter, out)
    plain, adapted = scores_of(tiny_qwen), scores_of(tiny_qwen, adapter)
    assert check_merged(plain, adapted, scores_of(out), 1e-3) < 1e-4
    tensors = load_file(out / "model.safetensors")
    spoil(tensors)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"differs from base and adapter by \d"):
        check_merged(plain, adapted, scores_of(out), 1e-3)


def test_a_base_that_was_not_merged_at_all_is_refused_and_an_adapter_without_effect_is_not():
    plain, adapted = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 3.0])
    with pytest.raises(ValueError, match="100% of the adapter's effect"):
        check_merged(plain, adapted, plain, 1e-3)
    assert check_merged(plain, adapted, adapted, 1e-3) == 0
    assert check_merged(plain, plain, plain, 1e-3) == 0
    # of an effect of 0.5 at one answer, 0.04 is missed there: 8 %
    assert check_merged(plain, adapted, np.array([1.0, 2.46, 3.0]), 1e-3) == pytest.approx(0.08)
    with pytest.raises(ValueError, match="52% of the adapter's effect"):
        check_merged(plain, adapted, np.array([1.0, 2.24, 3.0]), 1e-3)


def test_an_answer_that_is_no_number_is_refused():
    plain, adapted = np.array([1.0, 2.0]), np.array([1.0, 3.0])
    with pytest.raises(ValueError, match="differs from base and adapter by nan"):
        check_merged(plain, adapted, np.array([1.0, np.nan]), 1e-3)


def test_an_adapter_of_another_base_is_refused(tiny_causal, tiny_bert, tmp_path):
    adapter = make_adapter(load_backbone, tiny_bert, BERT, tmp_path / "bert")
    with pytest.raises(ValueError, match="adapts encoder.layer.0.* it was trained on another base"):
        merge(tiny_causal, adapter, tmp_path / "out")
    config = LlamaConfig.from_pretrained(tiny_causal)
    config.num_hidden_layers = 3
    LlamaForCausalLM(config).save_pretrained(tmp_path / "deeper")
    adapter = make_adapter(load_causal, tmp_path / "deeper", DECODER, tmp_path / "adapter")
    with pytest.raises(ValueError, match=r"adapts model.layers.2\..* it was trained on another base"):
        merge(tiny_causal, adapter, tmp_path / "out")


def test_the_shards_and_the_16_bits_of_a_base_stay(tiny_qwen, tmp_path):
    base = tmp_path / "base"
    AutoModelForCausalLM.from_pretrained(tiny_qwen, dtype=torch.bfloat16).save_pretrained(base, max_shard_size="20KB")
    shards = sorted(path.name for path in base.glob("*.safetensors"))
    assert len(shards) > 1
    adapter = make_adapter(load_causal, base, DECODER, tmp_path / "adapter")
    merge(base, adapter, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").glob("*.safetensors")) == shards
    assert {tensor.dtype for tensor in tensors_of(tmp_path / "out").values()} == {torch.bfloat16}
    np.testing.assert_allclose(
        scores_of(tmp_path / "out"), scores_of(base, adapter), atol=0.1
    )  # bfloat16 keeps 3 digits


def test_all_else_of_the_base_comes_along_but_no_card_manifest_or_other_format(tiny_causal, tmp_path):
    base = shutil.copytree(tiny_causal, tmp_path / "base")
    for name in ("card.json", "pytorch_model.bin", "model.gguf"):
        (base / name).write_text("{}", encoding="utf-8")
    write_manifest(base, {})
    adapter = make_adapter(load_causal, tiny_causal, DECODER, tmp_path / "adapter")
    merge(base, adapter, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in tiny_causal.iterdir()
    )
    assert weights_digest(tmp_path / "out") != weights_digest(base) == weights_digest(tiny_causal)


def test_a_base_without_safetensors_is_refused(tiny_causal, tmp_path):
    with pytest.raises(ValueError, match="holds no .safetensors file"):
        merge(tmp_path, tmp_path, tmp_path / "out")
    with pytest.raises(OSError, match="safetensors"):
        AutoModel.from_pretrained(tmp_path, use_safetensors=True, config=LlamaConfig.from_pretrained(tiny_causal))
