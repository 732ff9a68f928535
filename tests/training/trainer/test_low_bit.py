"""Guards training on a base in 4 bits: gradients, going on and learning are those of the dense base it stands for."""

import json
import shutil

import pytest
import torch
from torch import nn

from inference.engines.transformers.low_bit.linear import PackedLinear
from tests.packed_models import make_packed
from tests.training.tiny import (
    embedder_settings,
    make_embedder,
    make_reranker,
    randomise,
    reranker_settings,
    updates_of,
)
from training.trainer.loop import train
from training.trainer.lora import Masters

KINDS = {"embedder": (make_embedder, embedder_settings), "reranker": (make_reranker, reranker_settings)}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)
EACH_FORM = pytest.mark.parametrize("weights", ["nf4", "packed"])


@pytest.fixture(scope="module")
def bases(tiny_qwen, tmp_path_factory):
    """The base of each way to hold it."""
    packed = make_packed(tiny_qwen, tmp_path_factory.mktemp("bases") / "gptq", "gptq", shuffled=True)
    return {"full": tiny_qwen, "nf4": tiny_qwen, "packed": packed}


def gradient(model, objective, update):
    masters = Masters(randomise(model).train())
    objective.accumulate(update, [[place] for place in range(len(update))], masters.collect, "seed")
    return masters.weights.grad


@EACH_FORM
@EACH_KIND
@pytest.mark.parametrize("recompute", ["none", "all"])
def test_the_gradient_is_that_of_the_dense_weights_in_64_bits(recompute, kind, weights, bases, queries, misconceptions):
    (make, settings_of), tables = KINDS[kind], (queries, misconceptions)
    settings = settings_of(recompute=recompute)
    update = updates_of(*tables, settings)[0]
    low_bit, objective = make(bases[weights], tables, settings, weights=weights)
    mine = gradient(low_bit, objective, update)
    for parent in [*low_bit.modules()]:
        for name, child in parent.named_children():
            if isinstance(child, PackedLinear):
                dense = nn.Linear(child.in_features, child.out_features, bias=False, dtype=torch.float64)
                dense.bias, dense.weight.data = child.bias, child.dense(torch.float64)
                setattr(parent, name, dense.requires_grad_(False))
    assert not any(isinstance(module, PackedLinear) for module in low_bit.modules())
    wanted = gradient(low_bit, objective, update)
    assert mine.dtype == torch.float64 and wanted.norm() > 0
    torch.testing.assert_close(mine, wanted, rtol=1e-12, atol=1e-12)


@EACH_FORM
def test_adapters_begin_as_on_the_dense_base_and_in_its_precision(weights, bases, queries, misconceptions):
    trained = [
        {
            name: parameter
            for name, parameter in make_reranker(
                bases[form], (queries, misconceptions), reranker_settings(), dtype="bfloat16", weights=form
            )[0].named_parameters()
            if parameter.requires_grad
        }
        for form in (weights, "full")
    ]
    assert trained[0].keys() == trained[1].keys() and len(trained[0]) == 28  # A and B of 7 weights in 2 layers
    for name, parameter in trained[0].items():
        assert parameter.dtype == torch.bfloat16 and torch.equal(parameter, trained[1][name])


def run(kind, base, weights, tables, work, **changes):
    make, settings_of = KINDS[kind]
    settings = settings_of(epochs=3, distill=0.0, **changes)
    model, objective = make(base, tables, settings, dtype="float32", weights=weights)
    return train(model, objective, lambda epoch: updates_of(*tables, settings, epoch), settings, work, "mine")


@EACH_KIND
def test_losses_fall_as_on_the_dense_base(kind, bases, queries, misconceptions, tmp_path):
    tables = (queries, misconceptions)
    losses = {
        form: [figures["loss"] for figures in run(kind, base, form, tables, tmp_path / form)[1:]]
        for form, base in bases.items()
    }
    for form in ("nf4", "packed"):
        assert losses[form][-1] < 0.9 * losses[form][0]
        assert losses[form] == pytest.approx(losses["full"], rel=0.25)


@EACH_FORM
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(weights, bases, queries, misconceptions, tmp_path):
    tables, base = (queries, misconceptions), bases[weights]
    run("reranker", base, weights, tables, tmp_path / "whole")
    first = tmp_path / "stopped"
    run("reranker", base, weights, tables, first)
    state = tmp_path / "stopped.state" / "checkpoint"
    shutil.rmtree(state)  # as if the last save had not come
    state.with_suffix(".old").rename(state)
    before = json.loads((state / "progress.json").read_text(encoding="utf-8"))
    assert (before["epoch"], before["step"]) == (3, 3)
    run("reranker", base, weights, tables, first)
    for epoch in (1, 2, 3):
        mine, wanted = ((tmp_path / work / f"epoch_{epoch}" / FILE).read_bytes() for work in ("stopped", "whole"))
        assert mine == wanted


FILE = "adapter_model.safetensors"
