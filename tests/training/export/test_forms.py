"""Guards adapters of every form that is trained: what is merged answers as base and adapter did."""

import json

import pytest
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file, save_file

from inference.engines.transformers.engine import load_backbone, load_causal
from shared.settings.sections import Lora
from tests.training.tiny import CPU, DECODER, randomise
from training.export.combine import combine_adapters
from training.export.merge import merge
from training.trainer.lora import add_lora, save_adapter

ROW = torch.tensor([[2, 30, 31, 50, 40, 53]])
FORMS = {
    "rank-stabilised": {"targets": DECODER, "rslora": True},
    "DoRA": {"targets": DECODER, "dora": True},
    "all linear layers": {"targets": ("all-linear",)},
    "all of it": {"targets": ("all-linear",), "rslora": True, "dora": True},
}


def hidden(model):
    with torch.no_grad():
        return model.base_model(input_ids=ROW, attention_mask=torch.ones_like(ROW)).last_hidden_state


def trained(base, load, folder, **form):
    """What base and adapter say, the adapter in `folder`."""
    adapted = randomise(add_lora(load(base, "float32", CPU), Lora(rank=4, alpha=12, **form), seed="x"))
    save_adapter(adapted, folder)
    return hidden(adapted.eval().get_base_model())


@pytest.mark.parametrize("form", FORMS)
def test_a_merged_model_answers_as_base_and_adapter_of_any_form(form, tiny_qwen, tmp_path):
    wanted = trained(tiny_qwen, load_causal, tmp_path / "adapter", **FORMS[form])
    assert merge(tiny_qwen, tmp_path / "adapter", tmp_path / "out") == 14
    torch.testing.assert_close(hidden(load_causal(tmp_path / "out", "float32", CPU)), wanted, atol=1e-5, rtol=1e-5)
    again = PeftModel.from_pretrained(load_causal(tiny_qwen, "float32", CPU), str(tmp_path / "adapter"))
    torch.testing.assert_close(hidden(again.eval().get_base_model()), wanted)


def test_a_mean_is_of_the_products_whatever_scales_them_and_dora_has_none(tiny_qwen, tmp_path):
    one = trained(tiny_qwen, load_causal, tmp_path / "one", targets=DECODER, rslora=True)
    combine_adapters([tmp_path / "one", tmp_path / "one"], tmp_path / "mean")
    merge(tiny_qwen, tmp_path / "mean", tmp_path / "out")
    torch.testing.assert_close(hidden(load_causal(tmp_path / "out", "float32", CPU)), one, atol=1e-5, rtol=1e-5)
    trained(tiny_qwen, load_causal, tmp_path / "dora", targets=DECODER, dora=True)
    with pytest.raises(ValueError, match="is trained with DoRA, whose deltas have no mean"):
        combine_adapters([tmp_path / "dora", tmp_path / "dora"], tmp_path / "none")


def test_weights_that_are_stored_turned_are_merged_turned(tmp_path):
    config = transformers.GPT2Config(vocab_size=200, n_embd=64, n_layer=2, n_head=2, initializer_range=0.15)
    torch.manual_seed(1)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "base")
    wanted = trained(tmp_path / "base", load_backbone, tmp_path / "adapter", targets=("all-linear",))
    assert (
        merge(tmp_path / "base", tmp_path / "adapter", tmp_path / "out") == 8
    )  # c_attn, twice c_proj, c_fc in 2 layers
    torch.testing.assert_close(hidden(load_backbone(tmp_path / "out", "float32", CPU)), wanted, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="lora.dora: a gpt2 stores its weights turned"):
        trained(tmp_path / "base", load_backbone, tmp_path / "no", targets=("c_attn",), dora=True)


def test_a_base_without_the_prefix_of_its_class_is_merged(tiny_causal, tmp_path):
    bare = {
        name.removeprefix("model."): tensor for name, tensor in load_file(tiny_causal / "model.safetensors").items()
    }
    base = tmp_path / "base"
    base.mkdir()
    save_file(bare, base / "model.safetensors", metadata={"format": "pt"})
    (base / "config.json").write_text((tiny_causal / "config.json").read_text(encoding="utf-8"), encoding="utf-8")
    assert json.loads((base / "config.json").read_text(encoding="utf-8"))["architectures"] == ["LlamaForCausalLM"]
    wanted = trained(base, load_causal, tmp_path / "adapter", targets=DECODER)
    assert merge(base, tmp_path / "adapter", tmp_path / "out") == 14
    torch.testing.assert_close(hidden(load_causal(tmp_path / "out", "float32", CPU)), wanted, atol=1e-5, rtol=1e-5)
