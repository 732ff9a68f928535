"""Lets a person ask about one wrong answer, and read what was found in words instead of ids."""

import csv
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.task.current import TASK
from shared.task.eedi import EEDI, QUESTION_COLUMNS
from shared.task.submission import names_of

BEST = 5  # misconceptions that are shown of a row
WIDTH = 100  # characters that are shown of a question


@dataclass(frozen=True)
class Question:
    """A question with its correct answer and the wrong one whose misconception is wanted."""

    question: str
    correct: str
    wrong: str
    subject: str = "Mathematics"
    construct: str = "Mathematics"


def write_question(asked: Question, competition: Path, folder: Path) -> None:
    """A competition in `folder` whose one test row is the question; its misconceptions are those of `competition`.

    The task asks for four options: the wrong one stands at B, C and D, and only B is looked at. Raises ValueError for
    another task than eedi.
    """
    if TASK.name != EEDI.name:
        raise ValueError(
            f"--question asks about a wrong answer, and the models are of the task {TASK.name}: put rows into a file, "
            "and `just tag FILE` says what fits them"
        )
    texts = (asked.construct, "1", asked.subject, "A", asked.question, asked.correct, *[asked.wrong] * 3)
    with (folder / TASK.files.test).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([QUESTION_COLUMNS, ("1", "1", *texts)])
    shutil.copy(competition / TASK.files.misconceptions, folder / TASK.files.misconceptions)


def found_texts(out: Path, competition: Path, rows: int) -> Iterator[str]:
    """Lines that say what stands in the first `rows` rows of the submission `out`, in words."""
    entries, form = TASK.read_misconceptions(competition), TASK.submission
    names = names_of(entries)
    texts = {
        str(names[id_] if names else id_): _short(text) if names else text
        for id_, text in entries.select("misconception_id", "text").iter_rows()
    }
    queries = itertools.chain.from_iterable(part.iter_rows(named=True) for part in TASK.stream_test(competition, rows))
    with out.open(encoding="utf-8", newline="") as file:
        for line, query in zip(itertools.islice(csv.DictReader(file), rows), queries, strict=False):
            key, ids = (line[column] for column in form.columns)
            yield f"\n{key}  {_short(query['text' if names else 'question'])}"
            if not names:
                yield f"  correct {_short(query['correct'])}, wrong {_short(query['wrong'])}"
            for place, name in enumerate(ids.split(form.separator)[:BEST], 1):
                yield f"  {place}. {texts[name]} ({name})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[:WIDTH]}…"
