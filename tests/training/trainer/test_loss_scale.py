"""Guards loss_scale.py: gradients in float16 are scaled as far as they fit, and the scale is part of the state."""

import math

import pytest
import torch

from tests.training.tiny import (
    embedder_settings,
    make_embedder,
    make_reranker,
    randomise,
    reranker_settings,
    updates_of,
)
from training.trainer.checkpoint import TrainingProgress, load_checkpoint, save_checkpoint
from training.trainer.loss_scale import FIRST, LARGEST, PATIENCE, LossScale
from training.trainer.update import Updates

KINDS = {"embedder": (make_embedder, embedder_settings), "reranker": (make_reranker, reranker_settings)}


@pytest.fixture
def make(tiny_qwen, queries, misconceptions):
    def make(kind, dtype, **changes):
        make_one, settings_of = KINDS[kind]
        settings = settings_of(batch=8, **changes)
        model, objective = make_one(tiny_qwen, (queries, misconceptions), settings, dtype=dtype)
        updates = Updates(randomise(model).train(), objective, settings)
        return updates, updates_of(queries, misconceptions, settings)[0]

    return make


def test_the_scale_halves_at_an_overflow_and_doubles_after_many_updates_without_one():
    scale = LossScale(torch.float16)
    assert not scale.fits(math.inf) and not scale.fits(math.nan) and scale.value == FIRST / 4
    assert all(scale.fits(1.0) for _ in range(PATIENCE - 1)) and scale.value == FIRST / 4
    assert scale.fits(1.0) and scale.value == FIRST / 2
    scale.value = LARGEST
    assert all(scale.fits(1.0) for _ in range(PATIENCE)) and scale.value == LARGEST
    scale.value = 1.0
    assert scale.fits(math.inf)  # whoever reads the norm refuses it


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_wider_types_have_no_scale(dtype):
    scale = LossScale(dtype)
    assert scale.value == 1.0 and scale.fits(math.inf) and scale.state() == {}


def gradients(make, kind, *, first=FIRST, times=1.0, **changes):
    """The gradients of one adapter in float16 and in float64, of a loss that is multiplied by `times`."""
    made = [make(kind, dtype, **changes) for dtype in ("float16", "float64")]
    (half, _), (double, _) = made
    half.masters.scale.value = first
    double.masters.weights.data.copy_(half.masters.weights)
    double.masters.publish()
    for updates, groups in made:
        answer = updates.objective._loss
        updates.objective._loss = lambda *asked, answer=answer: answer(*asked) * times
        total, _ = updates._finite_gradient(groups, "seed")
        assert math.isfinite(total)
    assert half.masters.weights.grad.dtype == torch.float32
    return [updates.masters.weights.grad.double() for updates, _ in made]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("micro_tokens", [1, 100_000])
def test_the_gradient_in_16_bits_is_nearly_that_of_64(micro_tokens, kind, make):
    half, double = gradients(make, kind, micro_tokens=micro_tokens)
    assert torch.cosine_similarity(half, double, dim=0) > 0.999


def test_gradients_that_float16_has_no_number_for_are_kept_by_the_scale(make):
    """A loss of a hundred-thousandth has slopes below 6e-8, which are 0 in float16."""
    with_scale, without = (
        torch.cosine_similarity(*gradients(make, "reranker", first=first, times=1e-5), dim=0) for first in (FIRST, 1.0)
    )
    assert with_scale > 0.999 and without < 0.99


def test_the_scale_goes_into_the_checkpoint_and_comes_back(make, tmp_path):
    updates, groups = make("reranker", "float16")
    updates.masters.scale.value = 2.0**20  # too much: it halves until the gradient fits
    updates.update(groups, "seed", 1e-3)
    found = updates.masters.scale.value
    assert found < 2.0**20 and updates.masters.scale.calm == 1
    progress = TrainingProgress(1, 1, 0.0, ({"epoch": 0},))
    save_checkpoint(tmp_path / "checkpoint", updates.masters, updates.optimizer, progress, "mine")
    again, _ = make("reranker", "float16")
    assert load_checkpoint(tmp_path / "checkpoint", again.masters, again.optimizer, "mine") == progress
    assert (again.masters.scale.value, again.masters.scale.calm) == (found, 1)
    assert torch.equal(again.masters.weights, updates.masters.weights)
    again.update(groups, "seed", 1e-3)
