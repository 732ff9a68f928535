"""Draws three prompts of one query as they are packed: what they begin with alike stands there once."""

from docs.pictures.svg import draw, rectangle, text
from inference.engines.packing.prefix_forest import Forest, grow

QUERY = ["A:", "3/4", "of", "20", "=", "5"]
CANDIDATES = (
    ["B:", "divides", "only", "Yes?"],
    ["B:", "divides", "twice", "Yes?"],
    ["B:", "ignores", "top", "Yes?"],
)
CELL, LINE = 58, 26  # pixels
LEFT, MASK = 16, 22


def forest() -> str:
    """The picture, from the forest that the engine itself would compute."""
    rows = [[*QUERY, *candidate] for candidate in CANDIDATES]
    vocabulary = list(dict.fromkeys(word for row in rows for word in row))
    ids = [[vocabulary.index(word) for word in row] for row in rows]
    (packed,) = grow(ids, most=1000)
    words = [vocabulary[id_] for id_ in packed.ids]
    apart = sum(map(len, rows))
    parts = [
        text(LEFT, 28, f"apart: {apart} tokens, the query computed for every candidate"),
        *(
            part
            for number, row in enumerate(rows)
            for part in _row(row, packed.shared[number], 38 + number * (LINE + 4))
        ),
        text(LEFT, 160, f"packed: {len(words)} tokens, and every score is what it was"),
        *_packed(words, packed),
    ]
    return draw(760, 220 + MASK * len(words) + 16, "A prefix forest of three prompts and its attention mask", parts)


def _row(words: list[str], shared: int, y: float) -> list[str]:
    """A prompt; what it shares with the one above is pale."""
    cells = [
        rectangle(LEFT + place * CELL, y, CELL - 3, LINE, "none" if place < shared else "seen")
        for place in range(len(words))
    ]
    labels = [
        text(LEFT + place * CELL + CELL / 2 - 1, y + 17, word, size=11, anchor="middle")
        for place, word in enumerate(words)
    ]
    return cells + labels


def _packed(words: list[str], packed: Forest) -> list[str]:
    """The mask: a row for each token that looks, a column for each token that it may see."""
    left, top, ends = 190, 220, packed.ends.tolist()
    parts = [
        text(
            left,
            182,
            "Each row is a token that looks; blue are the tokens that it sees: its own prompt up to itself.",
            size=12,
            colour="faint",
        ),
        text(
            left,
            200,
            "Positions restart behind the query, so that every candidate stands where it stood alone.",
            size=12,
            colour="faint",
        ),
    ]
    for query, word in enumerate(words):
        y = top + query * MASK
        place = f"position {packed.positions[query]}"
        parts += [
            text(left - 8, y + 15, word, size=12, anchor="end"),
            text(left - 78, y + 15, place, size=11, colour="faint", anchor="end"),
        ]
        parts += [
            rectangle(left + key * MASK, y, MASK - 2, MASK - 2, "seen" if key <= query < ends[key] else "none")
            for key in range(len(words))
        ]
    return parts
