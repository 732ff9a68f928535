"""Counts the layers that compute their activations again, from bytes alone: for a training, and ahead of one."""

FREE_MEMORY_SHARE = 0.9  # The rest is for what does not grow with the tokens.


def count_recomputed(free: float, tokens: int, kept: float, recomputed: float, layers: int) -> int:
    """The least number of layers that must recompute for `tokens` tokens to need at most `free` bytes.

    `kept` and `recomputed` are bytes a token when no layer and when every layer recomputes. Raises ValueError when
    all of them do not suffice.
    """
    too_much = kept * tokens - free
    if too_much <= 0:
        return 0
    saved = (kept - recomputed) * tokens / layers
    if saved * layers < too_much:
        raise ValueError(
            f"{tokens} tokens need {recomputed * tokens / 2**30:.0f} GiB, {free / 2**30:.0f} GiB are free: "
            "lower micro_tokens"
        )
    return -int(-too_much // saved)
