"""Lays rows of token ids end to end, what they begin with alike only once, and says which token sees which.

Rows that follow each other in sorted order share the most. A token is seen by those that come after it, up to the
first row that no longer begins with it: token q sees token k where k <= q < ends[k]. So a query is computed once for
all of its candidates, the examples in front of many queries once for all of them, and nothing is padded.

Shapes: N rows, T tokens, K blocks of BLOCK tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Rows = Sequence[Sequence[int]]
BLOCK = 128  # tokens; FlexAttention skips whole blocks of its mask


@dataclass(frozen=True)
class Forest:
    """Rows as they are computed: exactly what each would give alone, in fewer tokens."""

    rows: np.ndarray  # [N] their numbers, in the order in which they lie here
    lasts: np.ndarray  # [N] where each one's last token lies
    ids: np.ndarray  # [T]
    positions: np.ndarray  # [T] each token's place in its row
    ends: np.ndarray  # [T] behind the last token that sees this one

    def __len__(self) -> int:
        return len(self.ids)


def grow(rows: Rows, *, most: int, least: int = 0, share: bool = True) -> list[Forest]:
    """Forests that together hold every row once, each of at most `most` tokens (or one row).

    A row stands behind another only where both begin with the same `least` tokens; without `share` each has its own
    copy of every token.
    """
    order = sorted(range(len(rows)), key=rows.__getitem__)
    forests, start, size = [], 0, 0
    shared = [0] * len(rows)
    for place, row in enumerate(order):
        before = rows[order[place - 1]] if place > start else ()
        alike = count_alike(before, rows[row])
        shared[place] = alike if share else 0
        cost = len(rows[row]) - shared[place]
        if place > start and (size + cost > most or alike < least):
            forests.append(_plant(rows, order[start:place], shared[start:place]))
            start, size, shared[place], cost = place, 0, 0, len(rows[row])
        size += cost
    return [*forests, _plant(rows, order[start:], shared[start:])] if order else []


def block_bounds(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each pair (block of q, block of k) [K, K]: does any token of the first see one of the second, do all see all?

    `ends` [T], T a multiple of BLOCK.
    """
    blocks = ends.reshape(-1, BLOCK)
    starts = np.arange(len(blocks)) * BLOCK
    below = starts[:, None] > starts
    some = below & (blocks.max(1) > starts[:, None])
    every = below & (blocks.min(1) >= starts[:, None] + BLOCK)
    return some | np.eye(len(blocks), dtype=bool), every


def _plant(rows: Rows, order: list[int], shared: list[int]) -> Forest:
    """The rows numbered `order`, each of which shares its first `shared` tokens with the one before it."""
    lengths = np.array([len(rows[row]) for row in order])
    new = lengths - shared
    behind = np.cumsum(new)
    ids = [token for row, alike in zip(order, shared, strict=True) for token in rows[row][alike:]]
    positions = np.arange(behind[-1]) - np.repeat(behind - lengths, new)
    ends, lasts = np.full(behind[-1], behind[-1]), np.empty(len(order), np.int64)
    path: list[int] = []  # the tokens of the row before, from its first to its last
    for place, (alike, end) in enumerate(zip(shared, behind.tolist(), strict=True)):
        ends[path[alike:]] = end - int(new[place])
        path[alike:] = range(end - int(new[place]), end)
        lasts[place] = path[-1]
    return Forest(np.array(order), lasts, np.array(ids), positions, ends)


def count_alike(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two rows, of one type, begin with alike: halving, so that whole slices are compared at once."""
    alike, unlike = 0, min(len(first), len(second))
    if first[:unlike] == second[:unlike]:
        return unlike
    while unlike - alike > 1:
        middle = (alike + unlike) // 2
        if first[alike:middle] == second[alike:middle]:
            alike = middle
        else:
            unlike = middle
    return alike
