"""Guards the kinds that read lists in training: the loss is that of each prompt alone, and no place tells anything."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from inference.engines.packing.prefix_forest import grow
from inference.engines.tokenizer import load_tokenizer
from shared.prompts.lists import CumulativePrompt, ListedPrompt
from tests.training.tiny import all_candidates, make_reranker, randomise, reranker_settings
from tests.training.trainer.test_objectives import difference, gradient, one_update
from training.trainer.batches import Group, draw_lists
from training.trainer.pointwise_reranker import RerankerObjective

PROMPTS = {
    "listed": ListedPrompt(60, 20, "Yes or No?", window=3, listed_tokens=12),
    "cumulative": CumulativePrompt(60, 20, "Yes or No?", window=3),
}


@pytest.fixture(scope="module")
def tables(queries, misconceptions):
    return queries, misconceptions


@pytest.fixture
def make(tiny_qwen, tables):
    def make(kind, **changes):
        settings = reranker_settings(**changes)
        model, _ = make_reranker(tiny_qwen, tables, settings)
        pairs = (*tables, all_candidates(*tables))
        own, words = model.get_base_model(), load_tokenizer(tiny_qwen)
        return randomise(model), RerankerObjective(own, words, PROMPTS[kind], pairs, settings, 200)

    return make


@pytest.mark.parametrize("kind", PROMPTS)
def test_the_loss_is_worked_out_from_the_whole_models_logits_of_each_prompt_alone(kind, make, tables):
    model, objective = make(kind, distill=0.7, label_smoothing=0.2)
    update = one_update(tables)
    loss, _ = gradient(model, objective, update, 2)
    total = 0.0
    with torch.no_grad():
        for group in update:
            rows = objective._prompts(group, "seed").ids
            scores = torch.stack([model(input_ids=torch.tensor([row])).logits[0, -1, objective.yes] for row in rows])
            teacher = torch.tensor(group.teacher_scores, dtype=torch.float64)
            hard = cross_entropy(scores, torch.tensor(0), label_smoothing=0.2)
            soft = kl_div(log_softmax(scores, 0), log_softmax(teacher, 0), reduction="sum", log_target=True)
            total += (hard + 0.7 * soft).item()
    assert loss == pytest.approx(total / len(update), abs=1e-7)  # the teacher's scores are 32-bit


@pytest.mark.parametrize("kind", PROMPTS)
def test_neither_sharing_nor_micro_batches_change_loss_or_gradient(kind, make, tables):
    update = one_update(tables)
    apart, expected = gradient(*make(kind, share=False), update, 8)
    assert expected.abs().max() > 1e-4
    for size in (8, 3):
        loss, found = gradient(*make(kind), update, size)
        assert loss == pytest.approx(apart, abs=1e-12)
        assert difference(expected, found) < 1e-10


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("kind", PROMPTS)
def test_the_tokens_of_a_group_are_those_that_are_computed(kind, share, make, tables):
    _, objective = make(kind, share=share)
    for group in one_update(tables):
        rows, counted = objective._prompts(group, "seed").ids, objective.count_tokens(group, "seed")
        (forest,) = grow(rows, most=10**6, share=share)
        # what lists and candidates happen to begin with alike, such as "\nCandidates:", is saved beside what is counted
        assert 0.8 * counted < len(forest) <= counted and (share or len(forest) == counted)


@pytest.mark.parametrize("kind", PROMPTS)
def test_a_prompt_belongs_to_its_candidate_wherever_that_stands_in_a_list(kind, make, tables):
    _, objective = make(kind)
    for group in one_update(tables):
        for seed in range(5):
            for id_, row in zip(group.misconception_ids, objective._prompts(group, str(seed)).ids, strict=True):
                part = objective.known[id_]
                behind = part.passage if kind == "listed" else [*part.passage, *part.tail]
                assert row[-len(behind) :] == behind


@pytest.mark.parametrize(("least", "lengths"), [(0, {(2, 3)}), (1, {(1, 1, 1, 1, 1), (1, 2, 2), (2, 3)})])
def test_the_lists_of_a_group_hold_each_candidate_once_in_an_order_that_follows_from_seed_and_query(least, lengths):
    found, firsts = set(), np.zeros(5)
    for query in range(200):
        lists = draw_lists(Group(f"{query}_A", (9, 8, 7, 6, 5)), 3, least, "seed/1")
        assert sorted(place for part in lists for place in part) == list(range(5))
        assert lists == draw_lists(Group(f"{query}_A", (9, 8, 7, 6, 5)), 3, least, "seed/1")
        found.add(tuple(map(len, lists)))
        firsts[[place for part in lists for place in part].index(0)] += 1
    assert found == lengths
    assert firsts.min() > 20  # of 200, at each of 5 places: 40, give or take 6
    assert draw_lists(Group("1_A", (9, 8, 7, 6, 5)), 3, least, "seed/1") != draw_lists(
        Group("1_A", (9, 8, 7, 6, 5)), 3, least, "seed/2"
    )
    assert draw_lists(Group("1_A", (9, 8, 7)), None, 0, "seed/1") == [[0, 1, 2]]  # pairs do not see each other


@pytest.mark.parametrize("kind", PROMPTS)
def test_evaluation_scores_every_candidate_as_the_merged_model_will(kind, make):
    model, objective = make(kind)
    with torch.no_grad():
        model.eval()
        figures = objective.evaluate()
    assert figures["all"]["pairs"] == 4 and np.isfinite(figures["eval_loss"])
