"""Guards recompute.py: no more layers recompute than the memory asks for, and gradients stay the same."""

import pytest
from transformers.modeling_layers import GradientCheckpointingLayer

from inference.engines.transformers.engine import load_causal
from tests.training.tiny import CPU, reranker_settings
from training.trainer.memory.count import count_recomputed
from training.trainer.memory.recompute import fit_memory


@pytest.mark.parametrize(
    ("free", "count"),
    [
        (1000, 0),  # 100 tokens keep 10 bytes each
        (999, 1),  # each of 4 layers saves (10 - 2) / 4 x 100 = 200
        (800, 1),
        (799, 2),
        (200, 4),
    ],
)
def test_as_few_layers_recompute_as_the_free_bytes_allow(free, count):
    assert count_recomputed(free, 100, kept=10, recomputed=2, layers=4) == count


def test_too_many_tokens_even_so_are_refused():
    with pytest.raises(ValueError, match="100 tokens need .* lower micro_tokens"):
        count_recomputed(199, 100, kept=10, recomputed=2, layers=4)


@pytest.mark.parametrize(("setting", "count"), [("none", 0), ("measured", 0), ("all", 2)])
def test_on_a_cpu_layers_recompute_only_where_all_have_to(tiny_qwen, setting, count):
    model = load_causal(tiny_qwen, "float32", CPU)
    fit_memory(model, reranker_settings(recompute=setting))
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    assert sum(layer.gradient_checkpointing for layer in layers) == count
