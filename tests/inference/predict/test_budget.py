"""Guards budget.py: the plan is the best one that the measured pace allows."""

import math

from inference.predict.budget import (
    Costs,
    RerankingStage,
    Shard,
    affordable,
    costs_of,
    ladder,
    plan_depths,
    seconds_for,
)

FAST, SLOW = Costs(0.0, 1.0, 0.5), Costs(10.0, 2.0, 1.0)


def untouched(queries, costs, wanted=8):
    return RerankingStage((queries, *[0] * wanted), costs)


def test_the_ladder_goes_from_everything_to_a_few_candidates_of_the_first_reranker():
    assert list(ladder((7,))) == [(7,), (6,), (5,)]
    assert list(ladder((6, 6, 6))) == [(6, 6, 6), (6, 5, 5), (6, 6, 0), (6, 5, 0), (6, 0, 0), (5, 0, 0)]
    assert list(ladder((3, 3))) == [(3, 3), (3, 0)]  # fewer are wanted than the least: then all or nothing


def test_the_ladder_of_a_cascade_goes_from_what_each_reranker_wants():
    plans = list(ladder((8, 7, 6)))
    assert plans[:3] == [(8, 7, 6), (8, 6, 6), (8, 5, 5)]  # the deepest of the later ones goes first
    assert plans[3:6] == [(8, 7, 0), (8, 6, 0), (8, 5, 0)]  # the last one is left out
    assert plans[6:] == [(8, 0, 0), (7, 0, 0), (6, 0, 0), (5, 0, 0)]
    assert list(ladder((6, 3))) == [(6, 3), (6, 0), (5, 0)]


def test_seconds_count_the_query_again_where_it_was_scored_before():
    # 4 untouched to depth 8: 4 x (1 + 8 x 0.5) = 20; 2 with 5: 2 x (1 + 3 x 0.5) = 5; 3 with 8: nothing
    stage = RerankingStage((4, 0, 0, 0, 0, 2, 0, 0, 3), FAST)
    assert seconds_for(stage, 8) == 25
    # to depth 5 only the untouched: 4 x (1 + 2.5)
    assert seconds_for(stage, 5) == 14
    assert seconds_for(stage, 0) == 0
    # a model that does not run yet has to be loaded, unless there is nothing to do
    assert seconds_for(untouched(2, SLOW), 8) == 10 + 2 * (2 + 8)
    assert seconds_for(RerankingStage((0,) * 8 + (5,), SLOW), 8) == 0


def test_the_plan_is_the_first_of_the_ladder_that_fits():
    stages = [untouched(10, FAST), untouched(10, SLOW)]
    # the first alone: 10 x (1 + 4) = 50. The second: 10 + 10 x (2 + d): 8 -> 110, 6 -> 90, 5 -> 80
    assert plan_depths(stages, (8, 8), 160) == (8, 8)
    assert plan_depths(stages, (8, 8), 159) == (8, 7)
    assert plan_depths(stages, (8, 8), 130) == (8, 5)
    assert plan_depths(stages, (8, 8), 129) == (8, 0)
    assert plan_depths(stages, (8, 8), 50) == (8, 0)
    assert plan_depths(stages, (8, 8), 49) == (7, 0)  # 10 x (1 + 3.5) = 45
    assert plan_depths(stages, (8, 8), 35) == (5, 0)  # 10 x (1 + 2.5)
    assert plan_depths(stages, (8, 8), 1) == (5, 0)  # nothing fits: the cheapest, for as many queries as there is time
    assert plan_depths(stages, (8, 8), math.inf) == (8, 8)


def test_the_plan_of_a_cascade_counts_each_reranker_by_its_own_depth():
    stages = [untouched(10, FAST), untouched(10, SLOW), untouched(10, SLOW)]
    # 8 of the first take 50 s, 6 of the second 10 + 10 x (2 + 6) = 90, 3 of the third 10 + 10 x (2 + 3) = 60
    assert plan_depths(stages, (8, 6, 3), 200) == (8, 6, 3)
    assert plan_depths(stages, (8, 6, 3), 199) == (8, 5, 3)  # the second 80
    assert plan_depths(stages, (8, 6, 3), 189) == (8, 6, 0)  # 50 + 90
    assert plan_depths(stages, (8, 6, 3), 139) == (8, 5, 0)
    assert plan_depths(stages, (8, 6, 3), 129) == (8, 0, 0)


def test_costs_follow_the_slower_of_the_last_shard_and_the_last_four():
    def shard(seconds):
        return Shard(10, 50, 300, 700, seconds)  # 1,000 tokens: 30 of a query, 14 of a candidate

    even = costs_of([shard(1.0)] * 5, 3.0)
    assert (even.start, even.query, even.candidate) == (3.0, 0.03, 0.014)
    assert costs_of([shard(1.0)] * 3 + [shard(10.0)], 0).query == 0.3  # a slow-down counts at once
    # 9 s before it and 1 s now: (3 x 9 + 1) / 4 = 7 s for 1,000 tokens, 0.21 for 30: a recovery counts slowly
    assert math.isclose(costs_of([shard(9.0)] * 3 + [shard(1.0)], 0).query, 0.21)
    assert costs_of([shard(9.0)] + [shard(1.0)] * 4, 0).query == 0.03


def test_what_is_affordable_is_rounded_down():
    assert affordable(FAST, 8, 14.9) == 2  # 5 s each
    assert affordable(FAST, 8, 4.9) == 0
    assert affordable(FAST, 8, -1) == 0
