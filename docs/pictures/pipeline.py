"""Draws the stages of an iteration and the loop in which iterations teach each other."""

from docs.pictures.svg import arrow, draw, rectangle, text
from shared.settings.load import load_settings
from training.pipeline.stages import stages_of

WIDTH, HEIGHT = 984, 428
BOX, GAP, TALL = 140, 20, 46  # pixels: a box's width, the room between two, a box's height
TOP, UPPER, LOWER, BELOW = 34, 140, 252, 352  # where each row of boxes begins
PLACES = {  # stage -> (column, row, what it does)
    "mine_for_embedder": (1, UPPER, "finds hard negatives"),
    "teach_embedder": (2, UPPER, "scores them"),
    "train_embedder": (4, UPPER, "an adapter an epoch"),
    "merge_embedder": (5, UPPER, "base + adapter"),
    "mine_for_reranker": (1, LOWER, "finds hard negatives"),
    "teach_reranker": (2, LOWER, "scores them"),
    "audit": (3, LOWER, "refuses leaks"),
    "train_reranker": (4, LOWER, "an adapter an epoch"),
    "merge_reranker": (5, LOWER, "base + adapter"),
    "evaluate": (4, BELOW, "MAP@25, held-out data"),
}


def pipeline() -> str:
    """The picture. A stage that is new has to get its place here."""
    drawn = {"prepare", *PLACES}
    assert {stage.name for stage in stages_of("cv", load_settings("demo1"))} == drawn, (
        "a stage has no place in the picture"
    )
    boxes = [part for name, (column, row, words) in PLACES.items() for part in _box(column, row, name, words)]
    middle = (UPPER + LOWER + TALL) / 2
    prepare = [
        rectangle(_left(0), UPPER, BOX, LOWER + TALL - UPPER, outline=True),
        text(_centre(0), middle - 2, "prepare", anchor="middle"),
        text(_centre(0), middle + 15, "rows with folds", size=11, colour="faint", anchor="middle"),
    ]
    title = "The stages of iteration N: the models of iteration N-1 mine and teach, those of N do so for N+1"
    return draw(WIDTH, HEIGHT, title, [*prepare, *boxes, *_teachers(), *_arrows(), *_outcome(), *_next_iteration()])


def _teachers() -> list[str]:
    return [
        *_box(1, TOP, "embedder of N-1", "in iteration 0: untrained"),
        *_box(2, TOP, "reranker of N-1", "in iteration 0: none"),
        arrow([(_centre(1), TOP + TALL), (_centre(1), UPPER)], "loop"),
        text(_centre(1) - 6, 114, "mines", size=12, colour="loop", anchor="end"),
        arrow([(_centre(2), TOP + TALL), (_centre(2), UPPER)], "loop"),
        text(_centre(2) - 6, 114, "teaches", size=12, colour="loop", anchor="end"),
        arrow(
            [
                (_left(2) + BOX, TOP + TALL / 2),
                (_left(3) + 12, TOP + TALL / 2),
                (_left(3) + 12, LOWER - 26),
                (_centre(2), LOWER - 26),
                (_centre(2), LOWER),
            ],
            "loop",
        ),
        text(_left(3) + 18, 114, "teaches", size=12, colour="loop"),
    ]


def _arrows() -> list[str]:
    upper, lower, between = UPPER + TALL / 2, LOWER + TALL / 2, UPPER + TALL + 20
    rows = [(upper, columns) for columns in ((0, 1), (1, 2), (2, 4), (4, 5))]
    rows += [(lower, (column, column + 1)) for column in range(5)]
    down = [(_centre(5), UPPER + TALL), (_centre(5), between), (_centre(1), between), (_centre(1), LOWER)]
    return [
        *(arrow([(_left(start) + BOX, y), (_left(end), y)]) for y, (start, end) in rows),
        arrow(down),
        text(
            _centre(4),
            between + 16,
            "the new embedder mines for the reranker",
            size=12,
            colour="faint",
            anchor="middle",
        ),
    ]


def _outcome() -> list[str]:
    below = BELOW + TALL / 2
    return [
        *_box(5, BELOW, "predict", "submission.csv"),
        arrow([(_centre(5), LOWER + TALL), (_centre(5), BELOW)]),
        arrow([(_centre(5), BELOW - 27), (_centre(4), BELOW - 27), (_centre(4), BELOW)]),
        text(
            _left(4) - 12,
            below + 4,
            "both merged models serve as they were trained",
            size=12,
            colour="faint",
            anchor="end",
        ),
    ]


def _next_iteration() -> list[str]:
    right, top = _left(5) + BOX, TOP - 14
    outside = right + 14
    points = [
        (right, LOWER + TALL / 2),
        (outside, LOWER + TALL / 2),
        (outside, top),
        (_centre(2), top),
        (_centre(2), TOP),
    ]
    return [
        arrow(points, "loop", dashed=True),
        arrow([(outside, top), (_centre(1), top), (_centre(1), TOP)], "loop", dashed=True),
        arrow([(right, UPPER + TALL / 2), (outside, UPPER + TALL / 2)], "loop", dashed=True),
        text(_centre(4), top + 18, "the next iteration: N becomes N-1", size=12, colour="loop", anchor="middle"),
    ]


def _box(column: int, row: int, name: str, words: str) -> list[str]:
    return [
        rectangle(_left(column), row, BOX, TALL, outline=True),
        text(_centre(column), row + 20, name, anchor="middle"),
        text(_centre(column), row + 36, words, size=11, colour="faint", anchor="middle"),
    ]


def _left(column: int) -> int:
    return 12 + column * (BOX + GAP)


def _centre(column: int) -> float:
    return _left(column) + BOX / 2
