"""Guards prefix_forest.py: what rows begin with alike lies there once, and every row sees itself only."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.attention.flex_attention import create_block_mask

from inference.engines.packing.prefix_forest import BLOCK, count_alike, grow
from inference.engines.transformers.attention import Layout, block_mask

ROW = st.lists(st.integers(1, 3), min_size=1, max_size=8)
ROWS = st.lists(ROW, min_size=1, max_size=12)


def sees(forest):
    """[T, T]: does token q see token k?"""
    q, k = np.ogrid[: len(forest), : len(forest)]
    return (k <= q) & (q < forest.ends[None, :])


def test_a_forest_is_worked_out_by_hand():
    # sorted: 1 2 | 1 2 3 | 1 2 4 5 | 7; the second adds 3, the third 4 5, the fourth begins anew
    [forest] = grow([[7], [1, 2, 3], [1, 2, 4, 5], [1, 2]], most=100)
    assert forest.ids.tolist() == [1, 2, 3, 4, 5, 7]
    assert forest.positions.tolist() == [0, 1, 2, 2, 3, 0]
    assert forest.ends.tolist() == [5, 5, 3, 5, 5, 6]  # 3 is seen by nobody behind it, 1 and 2 by all but 7
    assert (forest.rows.tolist(), forest.lasts.tolist()) == ([3, 1, 2, 0], [1, 2, 4, 5])


def test_without_sharing_every_row_has_its_own_tokens():
    [forest] = grow([[1, 2], [1, 2, 3]], most=100, share=False)
    assert forest.ids.tolist() == [1, 2, 1, 2, 3]
    assert forest.ends.tolist() == [2, 2, 5, 5, 5]


def test_rows_that_share_too_little_lie_apart():
    assert [forest.rows.tolist() for forest in grow([[1, 2], [1, 3], [1, 3, 4]], most=100, least=2)] == [[0], [1, 2]]


def test_in_a_queue_a_query_is_torn_apart_only_where_it_must_be():
    # two queries of 4 tokens with 3 candidates of 1: 7 tokens each, and 12 have room for a candidate of the second
    rows = [[*[query] * 4, candidate] for query in (5, 9) for candidate in (1, 2, 3)]
    assert [forest.rows.tolist() for forest in grow(rows, most=12)] == [[0, 1, 2, 3], [4, 5]]
    assert [forest.rows.tolist() for forest in grow(rows, most=12, last=12)] == [[0, 1, 2], [3, 4, 5]]
    assert [forest.rows.tolist() for forest in grow(rows, most=6, last=6)] == [[0, 1], [2], [3, 4], [5]]


def test_in_a_queue_forests_shrink():
    rows = [[row] * 4 for row in range(16)]  # a quarter of 64 tokens is 16; 48 are left, then 36 (room for 8), 28, ...
    assert [len(forest) for forest in grow(rows, most=100)] == [64]
    assert [len(forest) for forest in grow(rows, most=100, last=4)] == [16, 12, 8, 4, 4, 4, 4, 4, 4, 4]
    assert [len(forest) for forest in grow(rows, most=100, last=12)] == [16, 12, 12, 12, 12]
    assert [len(forest) for forest in grow(rows[:15], most=100, last=12)] == [12, 12, 12, 12, 12]
    assert [len(forest) for forest in grow(rows[:13], most=100, last=12)] == [12, 12, 12, 16]  # no last one of 4


def test_no_rows_make_no_forest():
    assert grow([], most=10) == []


@given(ROWS, st.integers(1, 40), st.integers(0, 3), st.booleans(), st.none() | st.integers(1, 40))
def test_every_row_sees_its_own_tokens_in_their_order_and_no_other(rows, most, least, share, last):
    forests = grow(rows, most=most, least=least, share=share, last=last)
    assert sorted(np.concatenate([forest.rows for forest in forests])) == list(range(len(rows)))
    for forest in forests:
        assert len(forest) <= most or len(forest.rows) == 1
        seen = sees(forest)
        for row, end in zip(forest.rows, forest.lasts, strict=True):
            assert forest.ids[seen[end]].tolist() == rows[row]
            assert forest.positions[seen[end]].tolist() == list(range(len(rows[row])))


@given(ROWS)
def test_a_common_beginning_is_never_computed_twice(rows):
    [forest] = grow(rows, most=10_000)
    beginnings = {tuple(row[: end + 1]) for row in rows for end in range(len(row))}
    assert len(forest) == len(beginnings)


def test_the_blocks_of_the_mask_are_those_that_every_pair_of_tokens_would_give():
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(9):  # queries of up to 400 tokens, so that some blocks are seen whole
        query = rng.integers(1, 9, rng.integers(1, 400)).tolist()
        rows += [[*query, *rng.integers(1, 9, rng.integers(1, 90)).tolist()] for _ in range(5)]
    [forest] = grow(rows, most=100_000)
    length = -(-len(forest) // BLOCK) * BLOCK
    ends, positions = torch.full((1, length), length), torch.zeros((1, length), dtype=torch.long)
    ends[0, : len(forest)], positions[0, : len(forest)] = map(torch.from_numpy, (forest.ends, forest.positions))
    mask = block_mask(Layout(ends, positions, torch.device("cpu")), lambda q, k: k <= q)
    expected = create_block_mask(mask.mask_mod, None, None, length, length, device="cpu", BLOCK_SIZE=BLOCK)
    assert torch.equal(mask.to_dense(), expected.to_dense())
    assert torch.equal(mask.full_kv_num_blocks, expected.full_kv_num_blocks) and mask.full_kv_num_blocks.sum() > 5
    assert mask.sparsity() > 50


@given(ROW | st.just([]), ROW)
def test_what_two_rows_begin_with_is_their_common_prefix(one, other):
    alike = [length for length in range(len(one) + 1) if one[:length] == other[:length]]
    assert count_alike(one, other) == max(alike)
