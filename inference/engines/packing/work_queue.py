"""Cuts rows into pieces of work for several engines that take them from one queue."""

from inference.engines.packing.prefix_forest import Rows, begins_anew, next_size, sort_rows


def cut_pieces(rows: Rows, workers: int, least: int) -> list[list[int]]:
    """Indices of the rows of each piece of work, rows that begin alike beside each other, for a queue of `workers`.

    Pieces get smaller, from half of a worker's share of what is left down to `least` tokens, so that all workers end
    together. One ends where the next row begins anew.
    """
    order, alike = sort_rows(rows)
    left = sum(map(len, rows)) - sum(alike)
    pieces: list[list[int]] = []
    size = most = 0
    for row, shared in zip(order, alike, strict=True):
        if not pieces or (size >= most and begins_anew(shared, len(rows[row]))):
            left, size = left - size, 0
            most = next_size(left, least, 2 * workers)
            pieces.append([])
        pieces[-1].append(row)
        size += len(rows[row]) - shared
    return pieces
