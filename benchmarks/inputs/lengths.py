"""Token lengths of the competition's texts, as quantiles: only lengths, no text.

Measured with Qwen2's byte-pair table on the 2,312 labelled pairs at hand and all 2,587 misconceptions. The whole data
have a mean query of 90 (median 78, p90 147, p99 251), a mean misconception of 14 and 2.35 wrong answers a question.
"""

import numpy as np

PERCENTILES = (0, 1, 2, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 98, 99, 100)
TOKEN_QUANTILES = {  # For each kind of text its length at each of PERCENTILES.
    "query": (
        32, 38, 40, 45, 50, 54, 57, 60, 64, 67, 70, 75, 79,
        83, 87, 93, 99, 106, 117, 130, 148, 172, 228, 249, 351,
    ),
    # what sibling options of a question do not share: the wrong answer
    "answer": (1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 7, 7, 8, 9, 11, 13, 17, 33, 46, 104),
    "passage": (3, 5, 6, 7, 8, 8, 9, 10, 11, 11, 12, 12, 13, 14, 14, 15, 16, 17, 18, 20, 22, 25, 29, 32, 42),
    # a training query behind the 0 to 5 examples that FlagEmbedding draws from its batch of 8
    "icl_query": (
        81, 94, 100, 111, 135, 189, 236, 273, 319, 361, 397, 435, 468,
        494, 514, 531, 549, 565, 582, 599, 617, 646, 686, 714, 905,
    ),
}  # fmt: skip
SIBLING_SHARES = (0.15, 0.35, 0.5)  # So many questions have 1, 2 and 3 labelled wrong answers: 2.35 on average.
INSTRUCTION_TOKENS = 40  # The reranker's instruction has as many.
TASK_TOKENS = 24  # The embedder's instruction has as many.
EXAMPLE_TOKENS = 110  # The one example in front of every query when mining has as many.


def draw(kind: str, count: int, rng: np.random.Generator) -> list[int]:
    """`count` lengths of a kind of text."""
    return np.rint(np.interp(rng.random(count) * 100, PERCENTILES, TOKEN_QUANTILES[kind])).astype(int).tolist()


def draw_siblings(count: int, rng: np.random.Generator) -> list[int]:
    """Wrong answers of each of `count` questions."""
    return (1 + rng.choice(len(SIBLING_SHARES), count, p=SIBLING_SHARES)).tolist()
