"""Guards targets.py: what gets an adapter is what was asked for, and a name that fits nothing is refused."""

import pytest
import torch
import transformers as T

from shared.settings.sections import Lora
from tests.inference.engines.transformers.families import GROUPED, SHAPE, WIDE
from tests.training.tiny import DECODER
from training.trainer.bases.targets import find_targets


def made(config, kind=T.AutoModelForCausalLM):
    with torch.device("meta"):
        return kind.from_config(config)


def test_the_default_are_the_names_of_llama_and_qwen():
    assert Lora().targets == DECODER
    assert find_targets(made(T.Qwen2Config(**GROUPED)), DECODER).names == DECODER


@pytest.mark.parametrize(
    ("config", "targets", "words"),
    [
        (
            T.Phi3Config(**GROUPED),
            DECODER,
            "'q_proj' is no linear layer of it; a phi3 has down_proj, gate_up_proj, o_proj, qkv",
        ),
        (
            T.PhiConfig(**SHAPE),
            DECODER,
            "'o_proj' is no linear layer of it; a phi has dense, fc1, fc2, k_proj, q_proj, v",
        ),
        (T.Glm4Config(**WIDE), DECODER, "'gate_proj' is no"),
        (T.Qwen2Config(**GROUPED), ("q_proj", "c_attn"), "'c_attn' is no linear layer"),
        (T.Qwen2Config(**GROUPED), ("q_proj", "lm_head"), "'lm_head' is the head, which is kept as it is"),
        (T.Qwen2Config(**GROUPED), ("q_proj", "embed_tokens"), "'embed_tokens' is no linear layer"),
        (T.Qwen2Config(**GROUPED), ("q_proj", "all-linear"), '"all-linear" stands alone'),
        # the experts of a mixture are one tensor each, of no linear layer
        (
            T.Qwen3MoeConfig(**WIDE, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32),
            DECODER,
            "'gate_proj' is no linear layer of it; a qwen3_moe has k_proj, o_proj, q_proj, v_proj",
        ),
    ],
)
def test_a_name_that_fits_nothing_is_refused_with_those_there_are(config, targets, words):
    with pytest.raises(ValueError, match=words):
        find_targets(made(config), targets)


def test_all_linear_layers_are_all_but_the_head():
    assert find_targets(made(T.Phi3Config(**GROUPED)), ("all-linear",)).names == (
        *("down_proj", "gate_up_proj", "o_proj", "qkv_proj"),
    )
    gpt2 = find_targets(made(T.GPT2Config(n_embd=64, n_layer=1, n_head=2)), ("all-linear",))
    assert gpt2.names == ("c_attn", "c_fc", "c_proj") and gpt2.turned
    config = T.Qwen2Config(**GROUPED, num_labels=1)
    assert "score" not in find_targets(made(config, T.AutoModelForSequenceClassification), ("all-linear",)).names


def test_the_head_of_a_cross_encoder_is_always_trained():
    config = T.XLMRobertaConfig(**SHAPE, num_labels=1)
    found = find_targets(made(config, T.AutoModelForSequenceClassification), ("query", "value"))
    assert found.names == ("query", "value", "classifier.dense", "classifier.out_proj")
