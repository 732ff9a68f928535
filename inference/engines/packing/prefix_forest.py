"""Lays rows of token ids end to end, what they begin with alike only once, and says which token sees which.

Rows that follow each other in sorted order share the most. A token is seen by those that come after it, up to the
first row that no longer begins with it: token q sees token k where k <= q < ends[k]. So a query is computed once for
all of its candidates, the examples in front of many queries once for all of them, and nothing is padded.

Shapes: N rows, T tokens, K blocks of BLOCK tokens.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

Rows = Sequence[Sequence[int]]
BLOCK = 128  # tokens; FlexAttention skips whole blocks of its mask.
SHARES = 4  # A shrinking forest takes a quarter of what is left: no more than the share of each of four processes.


@dataclass(frozen=True)
class Forest:
    """Rows as they are computed: exactly what each would give alone, in fewer tokens.

    Its arrays are made when they are first asked for: each process lays out its own, one while a GPU computes another.
    """

    source: Rows
    order: list[int]  # [N] numbers of its rows in `source`, as they lie here
    shared: list[int]  # [N] how many tokens each begins with that the one before it has too

    def __len__(self) -> int:
        return int(self._behind[-1])

    @property
    def rows(self) -> np.ndarray:
        """[N] the numbers of its rows."""
        return np.array(self.order)

    @property
    def lasts(self) -> np.ndarray:
        """[N] where each row's last token lies."""
        return self._behind - 1

    @cached_property
    def ids(self) -> np.ndarray:
        """[T]"""
        rows = zip(self.order, self.shared, strict=True)
        return np.array([token for row, alike in rows for token in self.source[row][alike:]])

    @cached_property
    def positions(self) -> np.ndarray:
        """[T] each token's place in its row."""
        lengths = np.array([len(self.source[row]) for row in self.order])
        return np.arange(len(self)) - np.repeat(self._behind - lengths, lengths - self.shared)

    @cached_property
    def ends(self) -> np.ndarray:
        """[T] behind the last token that sees this one."""
        ends, start = np.full(len(self), len(self)), 0
        path: list[int] = []  # the tokens of the row before, from its first to its last
        for alike, end in zip(self.shared, self._behind.tolist(), strict=True):
            ends[path[alike:]] = start
            path[alike:] = range(start, end)
            start = end
        return ends

    @cached_property
    def _behind(self) -> np.ndarray:
        """[N] behind each row's last token."""
        return np.cumsum([len(self.source[row]) - alike for row, alike in zip(self.order, self.shared, strict=True)])


class _Sorted(NamedTuple):
    """Facts of rows in sorted order, [N] each."""

    lengths: list[int]
    alike: list[int]  # tokens that each begins with and the one before it has too
    new: list[int]  # tokens that each adds to a forest


def grow(rows: Rows, *, most: int, least: int = 0, share: bool = True, last: int | None = None) -> list[Forest]:
    """Forests that together hold every row once, each of at most `most` tokens (or one row).

    A row stands behind another only where both begin with the same `least` tokens; without `share` each has its own
    copy of every token. With `last` the forests are for a queue: they shrink towards the end, down to about `last`
    tokens, so that up to SHARES processes end together, and they end between queries where _stop finds a place. They
    are the same for any number of processes.
    """
    order, alike = sort_rows(rows)
    shared = alike if share else [0] * len(alike)
    lengths = [len(rows[row]) for row in order]
    facts = _Sorted(lengths, alike, [length - common for length, common in zip(lengths, shared, strict=True)])
    forests, start, left = [], 0, sum(facts.new)
    while start < len(order):
        room = most if last is None else min(most, _room(left, last))
        stop = _stop(facts, start, room, least, seams=last is not None)
        forests.append(Forest(rows, order[start:stop], [0, *shared[start + 1 : stop]]))
        start, left = stop, left - sum(facts.new[start:stop])
    return forests


def next_size(left: int, least: int, shares: int) -> int:
    """Tokens that whoever is free takes next from a queue of `left`: a share of them, and at the end `least`."""
    return max(least, left // shares)


def begins_anew(alike: int, length: int) -> bool:
    """Whether a row shares less than half of its tokens with the one before it: mostly, it has another query.

    Work is cut before such a row, for a query whose candidates lie in two parts of it is computed twice.
    """
    return 2 * alike < length


def _room(left: int, last: int) -> int:
    """Room of the next forest of a queue in which `left` tokens are left; none is to be much smaller than `last`."""
    return 2 * last if left <= 1.5 * last else next_size(left, last, SHARES)


def _stop(facts: _Sorted, start: int, room: int, least: int, *, seams: bool) -> int:
    """Behind the last row of the forest that begins at `start`.

    With `seams` it ends, where it is at least half full, before a row that begins anew.
    """
    size, seam = facts.lengths[start], start
    for place in range(start + 1, len(facts.lengths)):
        length, alike, new = (values[place] for values in facts)
        if alike < least:
            return place
        if seams and 2 * size >= room and begins_anew(alike, length):
            seam = place
        size += new
        if size > room:
            return seam if seam > start else place
    return len(facts.lengths)


def sort_rows(rows: Rows) -> tuple[list[int], list[int]]:
    """Numbers [N] of the rows in sorted order, and how many tokens each begins with that the one before it has too."""
    order = sorted(range(len(rows)), key=rows.__getitem__)
    alike = [count_alike(rows[one], rows[two]) for one, two in itertools.pairwise(order)]
    return order, [0, *alike] if order else []


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
