"""Guards doctor.py: what would fail is said before it does, in a sentence with the way out."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from inference.__main__ import main
from inference.machine.doctor import judge, split_faults
from inference.machine.hardware import Gpu, Hardware, Model, read_model, this_machine
from inference.machine.profiles import load_profile, profile_names

SOFTWARE = {"torch": "2.11.0", "vllm": "0.23.0"}
T4X2 = Hardware((Gpu("Tesla T4", 15.0, 7.5),) * 2, 29.0, 4, frozenset(), 60.0, SOFTWARE, ())
L4X4 = replace(T4X2, gpus=(Gpu("NVIDIA L4", 22.5, 8.9),) * 4)
H200 = replace(T4X2, gpus=(Gpu("NVIDIA H200", 139.8, 9.0),))
NO_GPU = replace(T4X2, gpus=())
# Qwen2.5-14B without its head: 13.2 G weights in layers and 0.78 G in the embedding
SHAPE = {"layers": 48, "width": 5120, "inner": 13824, "heads": 40, "kv_heads": 8, "head_width": 128}
WHOLE = Model(Path("runs/14b"), "Qwen2ForSequenceClassification", 26.1, 16, False, 0, **SHAPE, positions=32768,
              has_tokenizer=True)  # fmt: skip
# half a byte and, for every 128, a scale: 13.2 * 0.516 + 1.56 GB; a byte: 13.2 + 1.56 GB
IN_4_BITS, IN_FP8 = replace(WHOLE, gib=7.8, bits=4, group=128), replace(WHOLE, gib=13.8, bits=8, float8=True)


@pytest.mark.parametrize(
    ("profile", "machine", "model", "said"),
    [
        ("t4x2", T4X2, IN_4_BITS, ""),
        # 26.1 + 0.4 of cache (2,048 tokens of 196,608 bytes) + 0.4 of activations (4,096 of 116,736) + 1.2
        ("t4x2", T4X2, WHOLE, "14b needs about 28.1 GiB of each GPU, 13.8 are to be had: ./just quantize .*scheme=awq"),
        ("t4x2", T4X2, IN_FP8, "8-bit floats, which need compute capability 8.9, here 7.5: scheme=awq"),
        ("t4x2", H200, WHOLE, "it wants 2 GPUs and 1 is there"),
        ("l4x4", L4X4, IN_FP8, ""),
        ("l4x4", L4X4, IN_4_BITS, ""),
        ("l4x4", L4X4, WHOLE, "28.6 GiB of each GPU, 20.7 are to be had: ./just quantize iter=1 scheme=fp8"),
        ("h200", H200, WHOLE, ""),
        ("h200", T4X2, WHOLE, "bfloat16 needs compute capability 8.0, and a Tesla T4 has 7.5: take t4x2"),
        ("h200", NO_GPU, WHOLE, "it wants 1 GPU and none is there"),
        ("h200", replace(H200, versions={"torch": "2.13.0+cpu", "vllm": "0.32.0"}), WHOLE, "without CUDA"),
        ("h200", H200, replace(WHOLE, has_tokenizer=False), "has no tokenizer.json: copy"),
        ("cpu", NO_GPU, WHOLE, r"needs about 54.7 GiB of memory, 29.0 are free"),  # twice 26.1, 1 of cache, 1.5
        ("cpu", NO_GPU, IN_4_BITS, "quantised, which a CPU computes in bfloat16 alone: take cpu_bf16"),
        ("cpu_bf16", NO_GPU, IN_4_BITS, ""),
        ("cpu", replace(NO_GPU, versions={"torch": "2.13.0"}), IN_4_BITS, "vLLM is not installed"),
        ("cpu", replace(NO_GPU, misfits=("vllm 1 asks for torch==2, and there is 3",)), WHOLE, "asks for torch==2"),
        ("cpu", replace(NO_GPU, disk_gib=0.4), IN_4_BITS, "0.4 GiB of disk are free"),
    ],
)
def test_a_fault_is_named_and_nothing_else_is(profile, machine, model, said):
    faults = judge(load_profile(profile), machine, [model])
    if said:
        assert any(re.search(said, fault) for fault in faults), faults
    else:
        assert faults == []


# Qwen2.5-72B: 2nd place had to pad it; 29,568 = 231 * 128
@pytest.mark.parametrize(("inner", "parts", "fine"), [(29568, 1, True), (29568, 2, False), (29696, 2, True)])
def test_a_4_bit_model_is_split_only_into_whole_groups(inner, parts, fine):
    model = replace(IN_4_BITS, inner=inner, heads=64)
    faults = split_faults(model, parts)
    assert (faults == []) == fine
    assert fine or "14784 for each of 2 is no multiple of 128" in faults[0]
    assert "has 40 attention heads, not to be divided by 3" in split_faults(WHOLE, 3)[0]


def test_this_machine_and_a_real_folder_are_read(tiny_qwen, capsys):
    machine, model = this_machine(), read_model(tiny_qwen)
    assert machine.cores >= 1 and machine.gib > 0 and machine.disk_gib > 0 and machine.versions["torch"]
    assert (model.bits, model.layers, model.width, model.heads, model.kv_heads, model.head_width) == (
        32,
        2,
        32,
        4,
        2,
        8,
    )
    assert machine.misfits == ()  # the pinned pair fits together
    assert main(["doctor", "--profile", "cpu", "--model", str(tiny_qwen)]) == 0
    assert "profile cpu  fits" in capsys.readouterr().out


def test_the_exit_says_whether_the_profile_or_any_fits(tiny_qwen, tmp_path, capsys):
    if not this_machine().gpus:
        assert main(["doctor", "--profile", "t4x2"]) == 2
        assert "it wants 2 GPUs and none is there" in capsys.readouterr().out
    assert main(["doctor"]) == 0
    assert main(["doctor", "--profile", "abacus"]) == 2
    assert main(["doctor", "--model", str(tmp_path)]) == 2
    assert "holds no config.json, so it is no model" in capsys.readouterr().err
    shutil.copytree(tiny_qwen, tmp_path / "bad")
    config = json.loads((tmp_path / "bad/config.json").read_text(encoding="utf-8"))
    del config["intermediate_size"]
    (tmp_path / "bad/config.json").write_text(json.dumps(config), encoding="utf-8")
    assert main(["doctor", "--model", str(tmp_path / "bad")]) == 2
    assert "has no 'intermediate_size'" in capsys.readouterr().err


def test_what_quantising_wrote_is_read_from_its_config(tiny_qwen, tmp_path):
    shutil.copytree(tiny_qwen, tmp_path / "small")
    config = json.loads((tmp_path / "small/config.json").read_text(encoding="utf-8"))
    weights = {"num_bits": 4, "type": "int", "group_size": 128}
    config["quantization_config"] = {"config_groups": {"group_0": {"weights": weights}}}
    (tmp_path / "small/config.json").write_text(json.dumps(config), encoding="utf-8")
    model = read_model(tmp_path / "small")
    assert (model.bits, model.float8, model.group) == (4, False, 128)


def test_every_profile_is_sound():
    assert {"cpu", "h100", "h200", "l4x4", "t4x2"} <= {name for name in profile_names() if load_profile(name)}
