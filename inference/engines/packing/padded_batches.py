"""Cuts rows of different lengths into batches of about equal cost, the same for any number of processes."""

from collections.abc import Sequence


def cut_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Indices of the rows of each batch: longest first, at most `batch_tokens` tokens with padding (or one row).

    Equal lengths keep their order, so the same rows give the same batches: a row's numbers then do not depend on
    how many processes share the batches.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    batches: list[list[int]] = []
    room = 0
    for row in order:
        if room == 0:
            batches.append([])
            room = max(batch_tokens // max(lengths[row], 1), 1)
        batches[-1].append(row)
        room -= 1
    return batches
