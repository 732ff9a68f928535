"""Guards memory.py and tokens.py: what training on 4 bits takes, and what is refused."""

import json
from dataclasses import replace

import pytest

from inference.engines.transformers.low_bit import nf4
from inference.machine.hardware import Gpu, this_machine
from shared.settings.load import load_settings
from shared.settings.sections import Lora
from training.pipeline.ahead import machine
from training.pipeline.ahead.memory import NF4_BITS, training_need
from training.pipeline.ahead.shapes import shape_of
from training.pipeline.ahead.tokens import fitting_tokens, merges_on_cpu

QWEN_7B = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
    "dtype": "bfloat16",
}
QWEN_14B = QWEN_7B | {
    "hidden_size": 5120,
    "intermediate_size": 13824,
    "num_hidden_layers": 48,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
}
EMBEDDER = "embedder.weights=nf4"


def folder_of(config, place):
    place.mkdir()
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return place


@pytest.mark.parametrize(
    ("config", "totals"),
    # published arithmetic at 2,048, 4,096 and 8,192 tokens, rank 32, without a head, in GB
    [(QWEN_7B, (8.4, 9.5, 11.6)), (QWEN_14B, (14.0, 15.6, 18.8))],
)
def test_7b_trains_in_8_to_12_gb_and_14b_in_14_to_19(config, totals, tmp_path):
    need = training_need(shape_of(str(folder_of(config, tmp_path / "base"))), 2, "nf4", Lora(rank=32), head=False)
    assert [round((need.fixed + tokens * need.token) / 1e9, 1) for tokens in (2048, 4096, 8192)] == [
        pytest.approx(total, abs=0.11) for total in totals
    ]


def test_a_head_of_its_own_and_full_weights_take_more(tmp_path):
    base = shape_of(str(folder_of(QWEN_14B, tmp_path / "base")))
    without, with_head, full = (
        training_need(base, 2, weights, Lora(), head=head).fixed
        for weights, head in (("nf4", False), ("nf4", True), ("full", False))
    )
    assert with_head - without == 152064 * 5120 * 2
    # 13.2 B linear weights: 26.4 GB less 6.8 GB, less the one layer's copy of 0.55 GB
    assert full - without == pytest.approx(19.1e9, rel=0.01)


def test_the_bits_of_nf4_are_said_in_both_places():
    assert NF4_BITS == nf4.BITS


@pytest.fixture
def on_gpu(tmp_path, monkeypatch):
    """The settings of iter0, for a base of a shape, on a GPU of so many GiB."""

    def make(config, gib, *said):
        made_up = replace(this_machine(), gpus=(Gpu("NVIDIA GeForce RTX 4090", gib, 8.9),))
        monkeypatch.setattr(machine, "hardware", lambda: made_up)
        base = folder_of(config, tmp_path / "base")
        return load_settings("iter0", [f"embedder.base={base}", *said])

    return make


def test_what_fits_is_said_and_only_of_weights_in_4_bits(on_gpu):
    # 14B: 12.4 GB stay, 0.78 MB a token: (24 * 2**30 - 12.4e9) / 0.78e6 tokens
    settings = on_gpu(QWEN_14B, 24.0, EMBEDDER, "train_embedder.micro_tokens=8192")
    said = fitting_tokens("train_embedder", settings)
    assert said.startswith("11.5 GiB and 0.74 MiB a token with all layers recomputed: 17,")
    full = settings.model_copy(update={"embedder": settings.embedder.model_copy(update={"weights": "full"})})
    assert fitting_tokens("train_embedder", full) == "" == fitting_tokens("mine_for_reranker", settings)


def test_more_tokens_than_fit_are_refused_with_a_number_that_does(on_gpu):
    settings = on_gpu(QWEN_7B, 10.0, EMBEDDER, "train_embedder.micro_tokens=16384")
    with pytest.raises(ValueError, match=r"micro_tokens=16384 do not fit: .*: train_embedder.micro_tokens=6\d\d\d$"):
        fitting_tokens("train_embedder", settings)


def test_a_base_that_leaves_no_room_for_a_group_is_refused(on_gpu):
    settings = on_gpu(QWEN_14B, 11.0, EMBEDDER)
    with pytest.raises(ValueError, match=r"takes 11\.5 GiB .* a GPU has 11\.0 GiB, room for 0 tokens: a lower"):
        fitting_tokens("train_embedder", settings)


def test_what_trained_in_4_bits_is_merged_on_the_cpu():
    settings = load_settings("iter0", [EMBEDDER])
    assert merges_on_cpu("merge_embedder", settings) and not merges_on_cpu("merge_reranker", settings)
    assert not merges_on_cpu("train_embedder", settings) and not merges_on_cpu("merge_writer", settings)
