"""Guards adapter.py: only an adapter that training makes is merged, and a damaged one is a sentence with its file."""

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.engines.transformers.engine import load_causal
from shared.settings.sections import Lora
from tests.training.tiny import CPU, DECODER, randomise
from training.export.adapter import CONFIG, WEIGHTS, check_trained
from training.export.combine import combine_adapters
from training.export.merge import merge
from training.trainer.lora import add_lora, save_adapter

LORA = Lora(rank=4, alpha=8, targets=DECODER)


@pytest.fixture(scope="module")
def trained(tiny_qwen, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "epoch_1"
    save_adapter(randomise(add_lora(load_causal(tiny_qwen, "float32", CPU), LORA, seed="x")), folder)
    return folder


def say(folder, **values):
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8")) | values
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")


def change(folder, edit):
    tensors = load_file(folder / WEIGHTS)
    edit(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def first(tensors, letter="B"):
    return next(name for name in tensors if f".lora_{letter}." in name)


SPOILT = {  # name: (what is done, words of the refusal)
    "rank 0": (lambda f: say(f, r=0), "r is 0, not a whole number from 1"),
    "a rank in words": (lambda f: say(f, r="four"), "r is 'four'"),
    "a rank that is true": (lambda f: say(f, r=True), "r is True"),
    "an alpha in words": (lambda f: say(f, lora_alpha="8"), "lora_alpha is '8', not a number"),
    "an alpha that is none": (lambda f: say(f, lora_alpha=math.nan), "lora_alpha is nan"),
    "no alpha": (lambda f: say(f, lora_alpha=0), "lora_alpha is 0"),
    "another rank than its weights": (lambda f: say(f, r=8), r"and r of adapter_config.json is 8"),
    "DoRA": (lambda f: say(f, use_dora=True), "lora_magnitude_vector without what belongs to it|is trained with DoRA"),
    "a pattern of ranks": (lambda f: say(f, rank_pattern={"q_proj": 2}), "rank_pattern is"),
    "whole modules beside": (lambda f: say(f, modules_to_save=["score"]), "modules_to_save is"),
    "biases": (lambda f: say(f, bias="all"), "bias is 'all'"),
    "turned weights": (lambda f: say(f, fan_in_fan_out=True), "fan_in_fan_out is True"),
    "not LoRA": (lambda f: say(f, peft_type="IA3"), "peft_type is 'IA3'"),
    "a cut config": (lambda f: (f / CONFIG).write_bytes(b"{"), "adapter_config.json is damaged"),
    "no config": (lambda f: (f / CONFIG).unlink(), "adapter_config.json does not exist"),
    "cut weights": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-9]), "is cut or damaged"),
    "a factor without the other": (lambda f: change(f, lambda t: t.pop(first(t))), "without what belongs to it"),
    "a whole module": (lambda f: change(f, lambda t: t.update({"score.weight": torch.ones(1, 4)})), "without what"),
    "no weights": (lambda f: change(f, lambda t: t.clear()), "holds nothing without what"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_an_adapter_of_another_form_is_neither_merged_nor_averaged(name, trained, tiny_qwen, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "odd")
    spoil, words = SPOILT[name]
    spoil(folder)
    with pytest.raises(ValueError, match=rf"odd.*{words}"):
        merge(tiny_qwen, folder, tmp_path / "out")
    with pytest.raises(ValueError, match=rf"odd.*{words}"):
        combine_adapters([trained, folder], tmp_path / "mean")


@pytest.mark.parametrize(
    ("lora", "words"),
    [
        (Lora(rank=8, alpha=8, targets=DECODER), "r is 4, and the settings train 8"),
        (Lora(rank=4, alpha=4, targets=DECODER), "lora_alpha is 8, and the settings train 4"),
        (
            Lora(rank=4, alpha=8, targets=DECODER[:2]),
            r"target_modules is .*, and the settings train .*k_proj",
        ),
    ],
)
def test_an_adapter_of_other_settings_is_refused(trained, lora, words):
    check_trained(trained, LORA)
    check_trained(trained, None)
    with pytest.raises(ValueError, match=words):
        check_trained(trained, lora)


def test_an_adapter_that_is_no_numbers_is_named_with_its_weight(trained, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "odd")
    change(folder, lambda tensors: tensors[first(tensors)].fill_(math.nan))
    with pytest.raises(ValueError, match=r"odd/adapter_model.safetensors: .*lora_B.* holds NaN or infinity"):
        check_trained(folder, None)
