"""Guards losses.py: every loss is the number that a hand works out, for each query on its own."""

from math import exp, log

import pytest
import torch

from training.trainer.losses import contrastive, distillation, group_cross_entropy, group_scores

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
    ):
        assert loss.shape == (2,)
