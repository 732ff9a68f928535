"""Guards work_queue.py: every row is in one piece, and a query's candidates stay together."""

from hypothesis import given
from hypothesis import strategies as st

from inference.engines.packing.work_queue import cut_pieces


def test_pieces_are_worked_out_by_hand():
    # two queries of 4 tokens with 3 and 2 candidates of 1: 4 + 3 and 4 + 2 tokens, 13 in all
    rows = [[5, 5, 5, 5, 1], [9, 9, 9, 9, 1], [5, 5, 5, 5, 2], [9, 9, 9, 9, 2], [5, 5, 5, 5, 3]]
    # one worker: half of 13 is 6, so the first piece is full after the first query, and the second takes the rest
    assert cut_pieces(rows, 1, 1) == [[0, 2, 4], [1, 3]]
    # a quarter is 3, and still no query is torn apart; 20 at least take all
    assert cut_pieces(rows, 2, 1) == [[0, 2, 4], [1, 3]]
    assert cut_pieces(rows, 2, 20) == [[0, 2, 4, 1, 3]]
    assert cut_pieces([], 2, 1) == []


@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=6)), st.integers(1, 4), st.integers(1, 30))
def test_every_row_is_in_one_piece(rows, workers, least):
    pieces = cut_pieces(rows, workers, least)
    assert sorted(row for piece in pieces for row in piece) == list(range(len(rows)))
    assert all(pieces)
