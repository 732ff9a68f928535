"""Guards `doctor --train`: what fits a card is computed from a config.json alone, and what fits nowhere is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from inference.machine.hardware import Gpu, this_machine
from shared.settings.sections import Lora
from training.cli import main
from training.pipeline.ahead import doctor, machine
from training.pipeline.ahead.memory import training_need
from training.pipeline.ahead.shapes import shape_of

ROOT = Path(__file__).parents[4]
TINY = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 10,
    "tie_word_embeddings": False,
    "dtype": "bfloat16",
}
LOW = ["embedder.weights=nf4", "reranker.weights=nf4", "train_embedder.micro_tokens=8192"]


@pytest.fixture(autouse=True)
def place(place, monkeypatch) -> Path:
    """A folder with the iterations, on a machine without a GPU and without anything of the hub."""
    for module in (machine, doctor):
        monkeypatch.setattr(module, "hardware", lambda: replace(this_machine(), gpus=()))
    monkeypatch.setattr("training.pipeline.ahead.shapes.cached_config", lambda name: None)
    return place


def folder_of(config, place):
    place.mkdir()
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return place


def test_a_tiny_shape_takes_the_bytes_that_are_worked_out_here(tmp_path):
    shape = shape_of(str(folder_of(TINY, tmp_path / "tiny")))
    # Inputs x outputs of a layer: q 8 x 8, k and v 8 x 4, o 8 x 8, gate and up 8 x 16, down 16 x 8.
    # 64 + 32 + 32 + 64 + 3 * 128 = 576 weights; inputs and outputs together 16 + 12 + 12 + 16 + 3 * 24 = 128
    assert (shape.layer_weights, shape.head) == (576, True)
    # Rank 1: 4 layers * 128 numbers * (2 bytes, and 16 of master, gradient and moments) = 9,216 bytes.
    # Embedding and head: 10 rows * 8 * 2 bytes = 160 each. CUDA: 10^9. A layer in 16 bits: 576 * 2 = 1,152.
    # full: 4 * 576 * 2 = 4,608. nf4: 2,304 * (4 + 8/64 + 32/16,384) / 8 = 1,188.5625. packed: 2,304 * 4.1875 / 8
    fixed = {"full": 4608 + 160, "nf4": 1188.5625 + 160 + 1152, "packed": 1206 + 160 + 1152}
    for weights, expected in fixed.items():
        need = training_need(shape, 2, weights, Lora(rank=1), head=False)
        assert need.fixed == expected + 9216 + 1e9
        assert training_need(shape, 2, weights, Lora(rank=1), head=True).fixed == need.fixed + 160
    # A token: the inputs of 4 layers, 4 * 8, and what one layer makes, 6 * 16 + 12 * 8, of 2 bytes: 448.
    # Where nothing is computed again: 4 layers * (4 * 16 + 4 * 8) * 2 = 768
    assert (need.token, need.kept) == (448, 768)


def test_as_few_layers_compute_again_as_the_memory_asks_for(tmp_path):
    need = training_need(shape_of(str(folder_of(TINY, tmp_path / "tiny"))), 2, "nf4", Lora(rank=1), head=False)
    # 100 tokens take 76,800 bytes, 8,000 fewer for each layer that computes again, and 44,800 where all 4 do; 9 tenths
    # of the room are used. 85,400 * 0.9 = 76,860. 60,000 * 0.9 = 54,000 lack 22,800: 2.85 layers. 44,800: all
    assert [need.recomputed(100, need.fixed + room) for room in (85_400, 60_000, 44_800)] == [0, 3, 4]
    assert [need.tokens(need.fixed + room) for room in (44_800, 44_799, -1)] == [100, 99, 0]


def test_what_activations_take_is_what_was_measured_at_14b():
    # train_embedder.json: 8 queries more at once took (93.93 - 64.31) GiB for 8 * 26,541 / 48 = 4,423.5 tokens
    said = json.loads((ROOT / "benchmarks/measured/train_embedder.json").read_text(encoding="utf-8"))
    few, many = (arm["peak_gib"] for arm in said["arms"] if arm["side"] == "ours")
    measured = (many - few) * 2**30 / (8 * 26541 / 48)
    need = training_need(shape_of("Qwen/Qwen2.5-14B-Instruct"), 2, "full", Lora(), head=False)
    assert need.kept == 48 * 4 * (13824 + 5120) * 2 == pytest.approx(measured, rel=0.03)


def test_14b_on_24_gb_is_told_from_its_name_alone(capsys):
    assert main(["doctor", "iter=iter0", "profile=gpu24", *LOW]) == 0
    said = capsys.readouterr().out
    assert said.startswith("24.0 GiB, a GPU of profile gpu24; ")
    # 14.0, 15.6 and 18.8 GB at 2,048, 4,096 and 8,192 tokens (docs/hardware.md) are 13.0, 14.5 and 17.5 GiB
    assert re.search(r"^nf4 +13\.0, 11/48 +14\.5, 33/48 +17\.5, 43/48 +23\.5, 48/48 +-   17,133$", said, re.MULTILINE)
    assert re.search(r"^full +- +- +- +- +-   -$", said, re.MULTILINE)
    assert "as it is set: embedder.weights=nf4, train_embedder.micro_tokens=8192: 17.5, 43/48\n" in said
    assert "merging it takes 26.1 GiB of the CPU's memory" in said  # 13.2 G in layers and 0.78 G in the embedding


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["profile=gpu24"],
            r"train_embedder: Qwen\S+ in 16 bits or more takes 29\.3 GiB .*: embedder\.weights=nf4; train_",
        ),
        (
            ["profile=t4x2", *LOW],
            "embedder.dtype is bfloat16, which this GPU does not compute: embedder.dtype=float16; ",
        ),
        (["profile=cpu"], "profile cpu is of no GPU whose memory is known: say profile=NAME, one of h100, h200, gpu24"),
        (["profile=abacus"], "there is no profile 'abacus' in profiles.toml"),
        (
            ["profile=gpu24", "embedder.base=a/b-7B"],
            "nobody knows the shape of a/b-7B before its config.json is here: ",
        ),
        (["profile=gpu24", "embedder.base=../b"], "embedder.base=../b is not there, and is no name of the"),
        # 32 B: 16.1 GB of linear layers, 1.6, 4.8 of adapters, 1.0 of a copy and 1.0 of CUDA are 24.4 GB, 22.7 GiB
        (
            ["profile=l4x4", "embedder.base=Qwen/Qwen2.5-32B"],
            r"GiB, room for 0 tokens, and in 4 bits it takes 22\.\d GiB",
        ),
        (
            ["profile=gpu24", *LOW, "train_reranker.micro_tokens=20000"],
            "do not fit: .*: train_reranker.micro_tokens=15104",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(words, sentence, capsys):
    assert main(["doctor", "iter=iter0", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and re.search(sentence, said), said


def test_this_machines_smallest_gpu_is_meant_where_no_profile_is_said(monkeypatch, capsys):
    gpus = (Gpu("NVIDIA RTX A5000", 24.0, 8.6), Gpu("Tesla T4", 15.0, 7.5))
    monkeypatch.setattr(doctor, "hardware", lambda: replace(this_machine(), gpus=gpus))
    assert main(["doctor", "iter=iter0", *LOW]) == 2
    printed = capsys.readouterr()
    assert printed.out.startswith("15.0 GiB, a Tesla T4 of this machine; ") and "bfloat16, which" in printed.err


def test_without_a_gpu_the_iterations_own_profile_is_meant(capsys):
    assert main(["doctor", "iter=iter0"]) == 0
    assert capsys.readouterr().out.startswith("141.0 GiB, a GPU of profile h200 (no GPU is here); ")


def test_a_folder_with_a_config_alone_is_enough_and_small_bases_and_encoders_are_passed_over(place, capsys):
    base, encoder = folder_of(TINY, place / "tiny"), folder_of(TINY | {"model_type": "bert"}, place / "bert")
    words = [f"reranker.base={base}", f"embedder.base={encoder}", "machine.device=cuda"]
    assert main(["doctor", "iter=small0", "profile=gpu24", *words]) == 0
    said = capsys.readouterr().out
    assert f"train_embedder: {encoder} is an encoder, whose memory is not computed" in said
    assert f"train_reranker: {base}, 4 layers, LoRA of rank 32, bfloat16" in said
    assert main(["doctor", "iter=small0", "profile=gpu24"]) == 0
    assert "train_embedder: models/minilm is small, and made when a stage first reads it" in capsys.readouterr().out


def test_no_recomputing_is_judged_without(capsys):
    words = [
        *LOW[:2],
        "train_embedder.recompute=none",
        "train_embedder.micro_tokens=2048",
        "train_reranker.micro_tokens=2048",
    ]
    # 12.4 GB and 2,048 * 7.27 MB are 27.3 GB: more than 24 GiB
    assert main(["doctor", "iter=iter0", "profile=gpu24", *words]) == 2
    assert "train_embedder.micro_tokens=2048 do not fit" in capsys.readouterr().err
