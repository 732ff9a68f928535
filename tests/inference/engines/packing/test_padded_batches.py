"""Guards padded_batches.py: every row is in one batch, and the batches follow from the lengths alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engines.packing.padded_batches import cut_batches


def test_batches_are_worked_out_by_hand():
    # longest first: 9 is over the limit and stands alone; 4 and 3 take 2 x 4 of 8; 2, 1, 1 take 3 x 2
    assert cut_batches([1, 9, 3, 2, 4, 1], 8) == [[1], [4, 2], [3, 0, 5]]
    assert cut_batches([], 8) == []


@given(st.lists(st.integers(1, 30)), st.integers(1, 100))
def test_every_row_is_in_one_batch_that_fits_with_its_padding(lengths, batch_tokens):
    batches = cut_batches(lengths, batch_tokens)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= batch_tokens


@given(st.lists(st.integers(1, 5)), st.integers(1, 100))
def test_the_longest_come_first_and_equal_ones_keep_their_order(lengths, batch_tokens):
    rows = [row for batch in cut_batches(lengths, batch_tokens) for row in batch]
    assert rows == sorted(rows, key=lambda row: (-lengths[row], row))


@pytest.mark.parametrize("lengths", [[0, 0, 0], [0, 5, 0]])
def test_empty_rows_do_no_harm(lengths):
    assert sorted(row for batch in cut_batches(lengths, 4) for row in batch) == [0, 1, 2]
