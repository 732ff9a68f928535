"""Every family gives the vectors and the gradients of transformers' eager attention, whatever lies in a batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from inference.engines.transformers.attention import DENSE, PACKED
from inference.engines.transformers.engine import HFEncoder, load_backbone
from inference.engines.transformers.families import SHARES_PREFIXES, TAKES_SDPA, shares_prefixes
from inference.engines.transformers.forward import answer_together, last_hidden
from tests.inference.engines.transformers.families import ALONE, DECODERS, ENCODERS, config_of

CPU = torch.device("cpu")
FAR, FAR_GRADIENT = 1e-5, 5e-5  # of the largest value, in float32; the gradients of gemma4 round by 2e-5
BEGIN = list(range(20, 60))  # 40 tokens, more than every window
ROWS = [BEGIN[:4], BEGIN[:9], BEGIN + [7] * 20, BEGIN + [8] * 25, [9] * 30]


def _saved(kind: str, values: dict, folder: Path) -> Path:
    torch.manual_seed(1)
    AutoModel.from_config(config_of(kind, values)).float().save_pretrained(folder)
    return folder


def _eager(folder: Path) -> torch.nn.Module:
    return AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def _hidden(model: torch.nn.Module, row: list[int]) -> torch.Tensor:
    ones = torch.ones(1, len(row), dtype=torch.long)
    return model(input_ids=torch.tensor([row]), attention_mask=ones, use_cache=False).last_hidden_state[0]


def _gradient(model: torch.nn.Module, answers_ND: torch.Tensor) -> torch.Tensor:
    """Of every weight, as one vector, of a sum in which every value counts differently."""
    weights = torch.linspace(-1, 1, answers_ND.numel()).view_as(answers_ND)
    model.zero_grad()
    (answers_ND * weights).sum().backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


def _assert_near(ours: torch.Tensor, theirs: torch.Tensor, far: float = FAR) -> None:
    assert (ours - theirs).abs().max() <= far * theirs.abs().max().clamp(min=1)


@pytest.mark.parametrize("name", DECODERS)
def test_a_forest_of_prompts_gives_the_vectors_and_gradients_of_prompts_alone(name, tmp_path):
    folder = _saved(*DECODERS[name], tmp_path)
    eager, model = _eager(folder), load_backbone(folder, "float32", CPU)
    assert model.config._attn_implementation == DENSE and shares_prefixes(model) != name.endswith("both ways")
    theirs = torch.stack([_hidden(eager, row)[-1] for row in ROWS])
    ours = answer_together(model, ROWS, lambda batch: last_hidden(model, batch))
    _assert_near(ours, theirs)
    _assert_near(_gradient(model, ours), _gradient(eager, theirs), FAR_GRADIENT)
    model.set_attn_implementation(PACKED)  # as on a GPU, but not compiled
    with torch.no_grad():
        _assert_near(answer_together(model, ROWS, lambda batch: last_hidden(model, batch)), theirs)


@pytest.mark.parametrize("name", ALONE)
def test_a_family_that_cannot_share_is_computed_a_prompt_for_itself_and_a_line_says_so(name, tmp_path, capsys):
    folder = _saved(*ALONE[name], tmp_path)
    model = load_backbone(folder, "float32", CPU, packed=True)
    assert "every prompt is computed for itself" in capsys.readouterr().out
    ours = answer_together(model, ROWS, lambda batch: last_hidden(model, batch))
    _assert_near(ours, torch.stack([_hidden(_eager(folder), row)[-1] for row in ROWS]))


@pytest.mark.parametrize("name", {**ENCODERS, **{name: DECODERS[name] for name in DECODERS if "both" in name}})
def test_a_mean_is_that_of_the_tokens_of_each_text_alone(name, tmp_path):
    folder = _saved(*{**ENCODERS, **DECODERS}[name], tmp_path)
    vectors = HFEncoder(load_backbone(folder, "float32", CPU), "mean", 100).encode(ROWS)
    eager = _eager(folder)
    with torch.no_grad():
        theirs = np.stack([_hidden(eager, row).mean(0).numpy() for row in ROWS])
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert np.abs(vectors - theirs).max() <= FAR


def test_every_family_that_is_named_is_compared():
    made = {config_of(*kind).model_type for kind in [*DECODERS.values(), *ENCODERS.values()]}
    assert made >= SHARES_PREFIXES | TAKES_SDPA
