"""Guards losses.py: every loss is the number that a hand works out, for each query on its own."""

from math import exp, log, log2

import pytest
import torch

from training.trainer.losses import (
    approx_mrr,
    contrastive,
    distillation,
    group_cross_entropy,
    group_scores,
    lambda_loss,
    margin_mse,
    ranknet,
)

X, Y = [1.0, 0.0], [0.0, 1.0]
QUERIES = torch.tensor([X, Y], dtype=torch.float64)
PASSAGES = torch.tensor([[X, Y], [Y, [-1.0, 0.0]]], dtype=torch.float64)  # first of each group: the positive


def test_the_contrastive_loss_is_against_every_passage_of_the_update():
    loss = contrastive(QUERIES, PASSAGES, torch.tensor([[1, 2], [3, 4]]), temperature=1.0)
    # with X, Y, Y, -X the first query has 1, 0, 0, -1 and its positive is the 1st; the second 0, 1, 1, 0 and the 3rd
    expected = [log(exp(1) + 2 + exp(-1)) - 1, log(2 + 2 * exp(1)) - 1]
    assert loss.tolist() == pytest.approx(expected, abs=1e-12)


def test_the_temperature_divides_the_products():
    loss = contrastive(QUERIES, PASSAGES, torch.tensor([[1, 2], [3, 4]]), temperature=0.5)
    assert loss[0].item() == pytest.approx(log(exp(2) + 2 + exp(-2)) - 2, abs=1e-12)


def test_a_passage_elsewhere_with_the_id_of_the_positive_is_no_negative():
    loss = contrastive(QUERIES, PASSAGES, torch.tensor([[1, 2], [3, 1]]), temperature=1.0)
    # the first query loses the 4th passage (product -1); the second keeps all: 1 is a negative of its own
    expected = [log(exp(1) + 2) - 1, log(2 + 2 * exp(1)) - 1]
    assert loss.tolist() == pytest.approx(expected, abs=1e-12)
    loss = contrastive(QUERIES, PASSAGES, torch.tensor([[1, 2], [1, 4]]), temperature=1.0)
    # both have the same answer: each loses the other's positive (products 0 of the 3rd, 0 of the 1st)
    assert loss.tolist() == pytest.approx([log(exp(1) + 1 + exp(-1)) - 1, log(2 * exp(1) + 1) - 1], abs=1e-12)


def test_another_right_answer_of_the_query_is_no_negative_anywhere():
    ids, others = torch.tensor([[1, 2], [3, 4]]), torch.tensor([[4], [-1]])
    # the first query loses the 4th passage (product -1), which is another right answer of it; the second has no other
    expected = [log(exp(1) + 2) - 1, log(2 + 2 * exp(1)) - 1]
    assert contrastive(QUERIES, PASSAGES, ids, 1.0, others).tolist() == pytest.approx(expected, abs=1e-12)


def test_distillation_is_nothing_where_student_and_teacher_agree_up_to_a_constant():
    teacher = torch.tensor([[3.0, -1.0, 0.5], [0.0, 0.0, 9.0]], dtype=torch.float64)
    assert distillation(teacher, teacher).tolist() == [0, 0]
    assert distillation(teacher + 7, teacher).tolist() == pytest.approx([0, 0], abs=1e-12)


def test_distillation_is_the_divergence_from_the_teacher_to_the_student():
    student, teacher = torch.tensor([[0.0, log(3)]]), torch.tensor([[2.0, 2.0]])
    # the student says 1/4, 3/4, the teacher 1/2, 1/2: 1/2 log(2) + 1/2 log(2/3); the other way round it were 0.131
    assert distillation(student, teacher).tolist() == pytest.approx([0.5 * log(4 / 3)], abs=1e-6)


def test_distillation_pulls_as_flagembeddings_cross_entropy_with_the_teacher_does():
    torch.manual_seed(0)
    student = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(5, 7, dtype=torch.float64)
    distillation(student, teacher).sum().backward()
    torch.testing.assert_close(student.grad, student.detach().softmax(-1) - teacher.softmax(-1), atol=1e-12, rtol=0)


def test_listwise_is_the_cross_entropy_of_the_first_of_the_group():
    scores = torch.tensor([[log(3), 0.0], [0.0, 0.0]])  # 3/4, 1/4 and 1/2, 1/2
    assert group_cross_entropy(scores, 0.0).tolist() == pytest.approx([log(4 / 3), log(2)], abs=1e-6)


def test_label_smoothing_spreads_its_share_over_the_whole_group():
    scores = torch.tensor([[log(3), 0.0]])
    # 0.2 over two: the target is 0.9, 0.1
    assert group_cross_entropy(scores, 0.2).tolist() == pytest.approx([-0.9 * log(0.75) - 0.1 * log(0.25)], abs=1e-6)


def test_a_temperature_softens_teacher_and_student_and_its_square_keeps_the_gradient_as_large():
    student, teacher = torch.tensor([[0.0, 2 * log(3)]]), torch.tensor([[5.0, 5.0]])
    # divided by 2 the student says 1/4, 3/4, the teacher 1/2, 1/2 as above; times 4
    assert distillation(student, teacher, 2.0).tolist() == pytest.approx([4 * 0.5 * log(4 / 3)], abs=1e-6)


def test_margin_mse_is_the_squared_difference_of_how_far_the_positive_is_in_front():
    student, teacher = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[3.0, 3.0, 1.0]])
    # the student's margins are 1 and 2, the teacher's 0 and 2: (1 + 0) / 2
    assert margin_mse(student, teacher).tolist() == [0.5]
    assert margin_mse(student + 5, teacher - 7).tolist() == [0.5]  # a constant does not count, the scale does
    assert margin_mse(3 * student, teacher).tolist() == [(9 + 16) / 2]  # margins 3 and 6


def test_ranknet_is_the_mean_logistic_loss_of_the_pairs_that_the_targets_order():
    scores = torch.tensor([[log(3), 0.0, 0.0]], dtype=torch.float64)
    # the positive is in front of either with 3 : 1, which is a chance of 3/4
    assert ranknet(scores, torch.tensor([[1, 0, 0]])).tolist() == pytest.approx([log(4 / 3)], abs=1e-12)
    # a teacher with 2, 1, 0 orders the last two as well, which the student holds for alike: 1/2
    expected = (2 * log(4 / 3) + log(2)) / 3
    assert ranknet(scores, torch.tensor([[2.0, 1.0, 0.0]])).tolist() == pytest.approx([expected], abs=1e-12)
    # and with 0, 1, 2 all three the other way round: 1/4, 1/4, 1/2
    expected = (2 * log(4) + log(2)) / 3
    assert ranknet(scores, torch.tensor([[0.0, 1.0, 2.0]])).tolist() == pytest.approx([expected], abs=1e-12)
    assert ranknet(scores, torch.zeros(1, 3)).tolist() == [0]


def test_lambda_loss_weighs_a_pair_by_what_its_order_changes_in_ndcg():
    scores = torch.tensor([[0.0, log(3), -log(3)]], dtype=torch.float64)
    # ranks 2, 1, 3; discounts of the ranks: 1, 1 / log2(3), 1 / 2. Either negative is one rank away: 1 - 1 / log2(3)
    near = 1 - 1 / log2(3)
    before = (10 * near + 1 - 1 / log2(3)) * log2(4)  # the chance of being in front is 1/4
    behind = (10 * near + 1 / log2(3) - 1 / 2) * log2(4 / 3)
    assert lambda_loss(scores).tolist() == pytest.approx([before + behind], abs=1e-12)
    # two ranks away it is 1 / log2(3) - 1 / 2: ranks 3, 1, 2, and a chance of 1/4 of being in front of either
    scores = torch.tensor([[-log(3), 0.0, 0.0]], dtype=torch.float64)
    far = 1 / log2(3) - 1 / 2
    expected = (10 * far + 1 - 1 / 2) * log2(4) + (10 * near + 1 / log2(3) - 1 / 2) * log2(4)
    assert lambda_loss(scores).tolist() == pytest.approx([expected], abs=1e-12)


def test_approx_mrr_is_one_less_the_reciprocal_of_a_smooth_rank():
    scores = torch.tensor([[0.0, log(3), -log(3)]], dtype=torch.float64)
    # 3/4 of the first negative and 1/4 of the second stand in front: rank 2, and 1 - 1 / 2
    assert approx_mrr(scores).tolist() == pytest.approx([0.5], abs=1e-12)
    # at half the temperature 9/10 and 1/10 do: the same rank
    assert approx_mrr(scores, 0.5).tolist() == pytest.approx([0.5], abs=1e-12)
    assert approx_mrr(torch.tensor([[log(3), 0.0]])).tolist() == pytest.approx([1 - 1 / 1.25], abs=1e-6)


@pytest.mark.parametrize("loss", [lambda_loss, approx_mrr, lambda scores: ranknet(scores, torch.eye(7)[:1])])
def test_a_loss_of_the_order_pulls_the_positive_up_and_the_negatives_down(loss):
    torch.manual_seed(0)
    scores = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    loss(scores).sum().backward()
    assert (scores.grad[:, 0] < 0).all() and (scores.grad[:, 1:] > 0).all()
    torch.testing.assert_close(scores.grad.sum(1), torch.zeros(5, dtype=torch.float64))  # a constant changes nothing


def test_group_scores_are_of_a_querys_own_group():
    assert group_scores(QUERIES, PASSAGES, 0.5).tolist() == [[2, 0], [2, 0]]


# seed: with negatives across N ranks the cross-entropy's gradient shrank by N and the distillation's did not
def test_every_loss_gives_one_number_for_each_query_so_that_the_caller_divides_by_the_whole_update():
    ids = torch.tensor([[1, 2], [3, 4]])
    scores = group_scores(QUERIES, PASSAGES, 1.0)
    for loss in (
        contrastive(QUERIES, PASSAGES, ids, 1.0),
        group_cross_entropy(scores, 0.1),
        distillation(scores, scores * 2),
        margin_mse(scores, scores * 2),
        ranknet(scores, scores * 2),
        lambda_loss(scores),
        approx_mrr(scores),
    ):
        assert loss.shape == (2,)
