"""Makes up what people give, in every way that it can be odd: it is taken as it should be, or refused in a sentence."""

import csv
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import polars as pl

from shared.settings.load import load_settings, override_settings
from shared.settings.sections import Settings
from shared.task.current import TASK
from shared.task.metrics import find_ranks, score_queries
from shared.task.submission import read_submission
from shared.task.tables import CANDIDATES, QUERIES
from tests.soak.frame import Case
from training.synthesis.malrules.generate import write_competition

AT_ONCE = 100  # tries of a case: each takes a millisecond or few
ODD_TEXTS = (
    *(
        "",
        " ",
        "\u200b",
        "\u00ad",
        "\ufeff",
        "\0",
        '"',
        '""',
        "'",
        ",",
        "\n",
        "\r",
        "a\nb",
        "\\N",
        "null",
        "NaN",
        "inf",
    ),
    *("-1", "1.0", "1e9", "007", "9" * 25, "9" * 5000, "\u0663", "\uff11\uff12", "\u00b2", "True", "=1+1", "../.."),
    *("a" * 100_001, "\u202e", "\U0001f600"),
)
ODD_VALUES = (
    *("0", "1", "1.5", "1e400", "nan", "true", "[]", "{}", "[[", '"a', "1979-05-27", "[" * 3000, "{a = {b = 1}}"),
    *ODD_TEXTS,
)


@contextmanager
def fuzz(folder: Path) -> Iterator[list[Case]]:
    """The cases: files of a competition, settings, tables, submissions, and the metric beside one by hand."""
    shutil.rmtree(folder, ignore_errors=True)
    write_competition(folder, questions=40, test_questions=4)
    data, base = TASK.read(folder), load_settings("demo0")
    keys = _keys(base)
    tries: dict[str, Callable[[random.Random], str | None]] = {
        "made-up CSV files": partial(_try_csv, folder),
        "made-up settings": partial(_try_settings, base, keys),
        "made-up tables": _try_table,
        "submissions beside an oracle": partial(_try_submission, folder, data),
        "metric beside an oracle": _try_metric,
    }
    yield [Case(f"{kind} x{AT_ONCE}", kind, partial(_many, kind, one)) for kind, one in tries.items()]


def _many(kind: str, one: Callable[[random.Random], str | None], seed: int) -> str | None:
    for number in range(AT_ONCE):
        if problem := one(random.Random(f"{kind} {seed} {number}")):
            return f"try {number}: {problem}"
    return None


def _sentence(error: ValueError) -> str | None:
    text = str(error)
    return None if text.strip() and len(text) < 1500 else f"said {text[:200]!r}"


def _try_csv(folder: Path, rng: random.Random) -> str | None:
    name = rng.choice((TASK.files.train, TASK.files.test, TASK.files.misconceptions))
    path = folder / name
    whole = path.read_bytes()
    rows = list(csv.reader(whole.decode().splitlines(keepends=True)))
    for _ in range(rng.randint(1, 3)):
        row = rng.choice((rng.choice(rows), rows[0]))
        match rng.choice(("field", "field", "field", "drop", "add", "twice", "swap")):
            case "field" if row:
                row[rng.randrange(len(row))] = rng.choice(ODD_TEXTS)
            case "drop" if row:
                del row[rng.randrange(len(row))]
            case "add":
                row.append(rng.choice(ODD_TEXTS))
            case "twice":
                rows.append(list(row))
            case "swap":
                rng.shuffle(row)
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(
                file, quoting=rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)), lineterminator=rng.choice(("\n", "\r\n"))
            ).writerows(rows)
        data = TASK.read(folder)
        QUERIES.check(data.train, "train")
        QUERIES.check(data.test, "test")
    except ValueError as error:
        return _sentence(error)
    finally:
        path.write_bytes(whole)
    return None


def _keys(settings: Settings) -> list[str]:
    keys = []
    for section, values in settings.model_dump().items():
        keys += [f"{section}.{name}" for name in values or ()]
    return [*keys, "train_embedder.lora.rank", "nothing.x", "embedder", "embedder.", ".base", "a.b.c.d", ""]


def _try_settings(base: Settings, keys: list[str], rng: random.Random) -> str | None:
    said = [
        f"{rng.choice(keys)}{rng.choice(('=', '=', '=', '', '=='))}{rng.choice(ODD_VALUES)}"
        for _ in range(rng.randint(1, 3))
    ]
    try:
        made = override_settings(base, said)
    except ValueError as error:
        return _sentence(error)
    return None if Settings.model_validate_json(made.model_dump_json()) == made else f"{said} do not come back"


def _try_table(rng: random.Random) -> str | None:
    rows = [[f"{number}_A", place, place + 1, 1.0 - place / 10] for number in range(3) for place in range(4)]
    odd = {
        0: (None, "", "1_A"),
        1: (None, -1, 0),
        2: (None, 0, -5, 1, 2),
        3: (None, float("nan"), float("inf"), -float("inf")),
    }
    row, column = rng.randrange(len(rows)), rng.randrange(4)
    value = rng.choice(odd[column])
    before, rows[row][column] = rows[row][column], value
    table = pl.DataFrame(rows, schema=CANDIDATES.schema, orient="row")
    keys = [(one[0], one[1]) for one in rows]
    ranks = [(one[0], one[2]) for one in rows]
    lowest = {
        query: min(rank for other, rank in ranks if other == query and rank is not None)
        for query, rank in ranks
        if rank is not None
    }
    sound = (value is not None and value == before) or (
        all(part is not None for one in rows for part in one)
        and all(abs(one[3]) < float("inf") and one[1] >= 0 and one[2] >= 1 for one in rows)
        and len(set(keys)) == len(keys)
        and len(set(ranks)) == len(ranks)
        and set(lowest.values()) == {1}
    )
    try:
        CANDIDATES.check(table, "table")
    except ValueError as error:
        return f"{value!r} in column {column} was refused: {error}" if sound else _sentence(error)
    return None if sound else f"{value!r} in column {column} of row {row} was taken"


def _try_submission(folder: Path, data, rng: random.Random) -> str | None:
    known = sorted(data.misconceptions["misconception_id"])
    queries = data.test["query_id"].to_list()
    rows = [[query, rng.sample(known, rng.randint(1, 25))] for query in queries]
    sound = True
    match rng.choice(("", "", "twice", "unknown", "many", "none", "lost", "again", "order", "odd")):
        case "twice":
            row = rng.choice(rows)[1]
            row[-1:] = [row[0], row[0]]
            sound = False
        case "unknown":
            rng.choice(rows)[1][0] = max(known) + rng.randint(1, 5)
            sound = False
        case "many":
            rows[0][1] = known[:26]
            sound = len(known) < 26
        case "none":
            rows[-1][1] = []
            sound = False
        case "lost":
            rows.pop(rng.randrange(len(rows)))
            sound = False
        case "again":
            rows.append(rng.choice(rows))
            sound = False
        case "order":
            rng.shuffle(rows)
        case "odd":
            rows[0][1] = [
                rng.choice(
                    [
                        text
                        for text in ODD_TEXTS
                        if text.strip() not in map(str, known) and text != "007" and text.strip()
                    ]
                )
            ]
            sound = False
    path = folder / "submission.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [TASK.submission.columns, *((query, " ".join(map(str, ids))) for query, ids in rows)]
        )
    try:
        read = read_submission(path, data.test, set(known))
    except ValueError as error:
        return f"a sound one was refused: {error}" if sound else _sentence(error)
    wanted = sorted((query, id_, rank) for query, ids in rows for rank, id_ in enumerate(ids, 1))
    return None if sound and sorted(read.rows()) == wanted else "an odd one was taken, or read otherwise"


def _try_metric(rng: random.Random) -> str | None:
    """The mean of 1 / rank over queries with one right answer; 0 behind place 25."""
    labels, ranked, wanted = [], [], []
    for number in range(rng.randint(1, 8)):
        ids = rng.sample(range(60), rng.randint(1, 40))
        right = rng.choice((rng.choice(ids), rng.randrange(60)))
        labels.append((f"{number}_A", number, right))
        ranked += [(f"{number}_A", id_, place) for place, id_ in enumerate(ids, 1)]
        place = ids.index(right) + 1 if right in ids else 0
        wanted.append(1 / place if 1 <= place <= 25 else 0.0)
    table = pl.DataFrame(labels, schema=["query_id", "question_id", "misconception_id"], orient="row")
    order = pl.DataFrame(ranked, schema=["query_id", "misconception_id", "rank"], orient="row")
    got = score_queries(find_ranks(table, order)).to_list()
    return (
        None if max(abs(one - other) for one, other in zip(got, wanted, strict=True)) < 1e-12 else f"{got} for {wanted}"
    )
