"""Guards group_losses.py: each setting means its loss, and weights and masks of the objectives are as said."""

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
from training.trainer.group_losses import label_loss, teacher_loss
from training.trainer.lora import Masters
from training.trainer.losses import (
    approx_mrr,
    contrastive,
    distillation,
    group_cross_entropy,
    lambda_loss,
    margin_mse,
    ranknet,
)

SCORES = torch.tensor([[0.5, 1.5, -1.0], [2.0, 0.0, 0.1]])
TEACHER = torch.tensor([[3.0, 0.5, 1.0], [0.0, 0.2, -4.0]])
FIRST = torch.tensor([[1.0, 0.0, 0.0]] * 2)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"label_smoothing": 0.2}, group_cross_entropy(SCORES, 0.2)),
        ({"loss": "ranknet"}, ranknet(SCORES, FIRST)),
        ({"loss": "lambda"}, lambda_loss(SCORES)),
        ({"loss": "approx_mrr"}, approx_mrr(SCORES)),
    ],
)
def test_a_setting_chooses_the_loss_of_the_labels(said, expected):
    assert torch.equal(label_loss(SCORES, reranker_settings(**{"label_smoothing": 0.0, **said})), expected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, distillation(SCORES, TEACHER)),
        ({"distill_temperature": 3.0}, distillation(SCORES, TEACHER, 3.0)),
        ({"distill_loss": "margin_mse"}, margin_mse(SCORES, TEACHER)),
        ({"distill_loss": "ranknet"}, ranknet(SCORES, TEACHER)),
    ],
)
def test_a_setting_chooses_the_loss_of_the_teacher_for_either_model(said, expected):
    for settings in (reranker_settings(**said), embedder_settings(**said)):
        assert torch.equal(teacher_loss(SCORES, TEACHER, settings), expected)


def loss_of(model, objective, update):
    masters = Masters(randomise(model).train())
    return objective.accumulate(update, [list(range(len(update)))], masters.collect, "seed")


@pytest.mark.parametrize("kind", ["embedder", "reranker"])
def test_labels_and_teacher_have_their_weights(kind, tiny_causal, queries, misconceptions):
    tables = (queries, misconceptions)
    make, settings_of = {
        "embedder": (make_embedder, embedder_settings),
        "reranker": (make_reranker, reranker_settings),
    }[kind]
    update = updates_of(*tables, settings_of(batch=8))[0]
    weights = ((1.0, 0.0), (0.0, 1.0), (0.5, 2.0))
    labels, teacher, both = (
        loss_of(*make(tiny_causal, tables, settings_of(label_weight=label, distill=distill)), update)
        for label, distill in weights
    )
    assert both == pytest.approx(0.5 * labels + 2 * teacher, abs=1e-10)
    assert labels != teacher


def test_without_mask_equal_the_right_answer_elsewhere_counts_as_wrong(tiny_causal, queries, misconceptions):
    tables, settings = (queries, misconceptions), embedder_settings(batch=8, mask_equal=False, distill=0.0)
    update = updates_of(*tables, settings)[0]
    model, objective = make_embedder(tiny_causal, tables, settings)
    randomise(model).train()
    vectors = objective._encode(update, "seed", 0).detach()
    none_alike = torch.arange(8 * 4).view(8, 4)
    expected = contrastive(vectors[:, 0], vectors[:, 1:], none_alike, settings.temperature).mean().item()
    assert loss_of(model, objective, update) == pytest.approx(expected, abs=1e-12)
    model, objective = make_embedder(tiny_causal, tables, embedder_settings(batch=8, distill=0.0))
    assert loss_of(model, objective, update) < expected  # some query's answer stands elsewhere in the update
