"""Writes a folder of demo data in the format of the Eedi competition, complete or not at all."""

import argparse
import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from pathlib import Path
from random import Random

from shared.artifacts.files import replacing_folder, write_text
from shared.task.eedi import FILES, LABEL_COLUMNS, MISCONCEPTION_COLUMNS, QUESTION_COLUMNS, SUBMISSION
from training.synthesis.malrules import MISCONCEPTIONS, TEMPLATES, perfect_writer
from training.synthesis.malrules.questions import LETTERS, Question, make_question

HELD_OUT = 0.3  # share of the misconceptions that no training question carries
UNSEEN = 0.75  # share of the labelled test options that carry one of those, as in the competition's hidden test
LABELS_PER_QUESTION = (1, 2, 3, 3)

CONSTRUCTS = tuple(dict.fromkeys(template.construct for template in TEMPLATES))
SUBJECTS = tuple(dict.fromkeys(template.subject for template in TEMPLATES))


def write_competition(
    folder: Path, *, questions: int = 240, test_questions: int = 60, seed: str = "demo", rationales: bool = False
) -> None:
    """Write the competition's four CSV files, and test_labels.csv with its hidden answers, into a new folder.

    With `rationales` the texts of the perfect writer stand beside them; a folder that holds the rest gets them added.
    The same arguments give the same bytes on every machine. Does nothing if the folder already holds them; raises
    ValueError if it holds something else.
    """
    train, test = make_competition(questions=questions, test_questions=test_questions, seed=seed)
    files = {name: _render(rows).encode() for name, rows in _tabulate(train, test).items()}
    if all((folder / name).is_file() and (folder / name).read_bytes() == content for name, content in files.items()):
        if rationales:
            _add(folder / perfect_writer.FILE, _write_texts(train, test))
        return
    if rationales:
        files[perfect_writer.FILE] = _write_texts(train, test).encode()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} already holds something else: remove it, or name another folder")
    with replacing_folder(folder) as partial:
        for name, content in files.items():
            (partial / name).write_bytes(content)


def _add(path: Path, content: str) -> None:
    if path.is_file() and path.read_bytes() != content.encode():
        raise ValueError(f"{path} already holds other texts: remove it, or name another folder")
    write_text(path, content)


def make_competition(*, questions: int, test_questions: int, seed: str) -> tuple[list[Question], list[Question]]:
    """The training and the test questions; each can say how its labels come about."""
    if questions < 1 or test_questions < 1:
        raise ValueError(f"at least one question of each kind is needed, not {questions} and {test_questions}")
    rng = Random(f"malrules/{seed}")
    held_out = set(rng.sample(MISCONCEPTIONS, round(HELD_OUT * len(MISCONCEPTIONS))))
    taken = set()

    def choose_taught(names: list[str], used: Counter) -> list[str]:
        return choose_rarest([name for name in names if name not in held_out], used, rng)

    def choose_tested(names: list[str], used: Counter) -> list[str]:
        return choose_mixed(names, used, seen, rng)

    taught = [template for template in TEMPLATES if not held_out.issuperset(template.rules)]
    train = _make_round(taught, questions, choose_taught, taken, rng)
    seen = {name for question in train for name in question.labels.values()}
    unseen = [template for template in TEMPLATES if not seen.issuperset(template.rules)]
    test = _make_round(unseen, test_questions, choose_tested, taken, rng)
    return train, test


def choose_rarest(names: list[str], used: Counter, rng: Random) -> list[str]:
    """One to three of the names, those used least often first, so that few are missed."""
    ranked = sorted(names, key=lambda name: (used[name], rng.random()))
    return ranked[: rng.choice(LABELS_PER_QUESTION)]


def choose_mixed(names: list[str], used: Counter, seen: set[str], rng: Random) -> list[str]:
    """One to three of the names, seen or unseen in training, whichever brings all labels closer to the UNSEEN share."""
    chosen = []
    for _ in range(rng.choice(LABELS_PER_QUESTION)):
        labels = [*used.elements(), *chosen]
        wants_unseen = sum(name not in seen for name in labels) <= UNSEEN * len(labels)
        pool = [name for name in names if name not in chosen and (name not in seen) == wants_unseen]
        if pool or not chosen:
            chosen.append(rng.choice(pool or names))
    return chosen


def _make_round(templates: list, count: int, choose: Callable, taken: set[str], rng: Random) -> list[Question]:
    """`count` questions from all the templates in turn; `choose` is told how often each misconception was used."""
    used, made = Counter(), []
    for template, _ in zip(cycle(rng.sample(templates, len(templates))), range(count), strict=False):
        made.append(make_question(template, lambda names: choose(names, used) if names else [], taken, rng))
        used.update(made[-1].labels.values())
    return made


def _tabulate(train: list[Question], test: list[Question]) -> dict[str, list[Sequence]]:
    """File name -> rows, the first of which is the header."""
    ids = {name: i for i, name in enumerate(MISCONCEPTIONS)}
    test_rows = list(enumerate(test, start=len(train)))
    wrong = [f"{i}_{letter}" for i, question in test_rows for letter in LETTERS if letter != question.correct]
    answers = [
        [f"{i}_{letter}", ids[question.labels[letter]]]
        for i, question in test_rows
        for letter in sorted(question.labels)
    ]
    guess = " ".join(map(str, range(SUBMISSION.depth)))
    return {
        FILES.train: [
            [*QUESTION_COLUMNS, *LABEL_COLUMNS],
            *([*_write_row(i, question), *_write_labels(question, ids)] for i, question in enumerate(train)),
        ],
        FILES.test: [QUESTION_COLUMNS, *(_write_row(i, question) for i, question in test_rows)],
        FILES.misconceptions: [
            MISCONCEPTION_COLUMNS,
            *([i, name] for name, i in ids.items()),
        ],
        FILES.sample_submission: [SUBMISSION.columns, *([answer, guess] for answer in wrong)],
        "test_labels.csv": [SUBMISSION.columns, *answers],
    }


def _write_texts(train: list[Question], test: list[Question]) -> str:
    numbered = enumerate([*train, *test])
    return _render([perfect_writer.HEADER, *perfect_writer.write_rationales(numbered)])


def _write_row(number: int, question: Question) -> list:
    construct, subject = question.template.construct, question.template.subject
    names = [CONSTRUCTS.index(construct), construct, SUBJECTS.index(subject), subject]
    return [number, *names, question.correct, question.text, *(question.options[letter] for letter in LETTERS)]


def _write_labels(question: Question, ids: dict[str, int]) -> list[str]:
    """Ids as floats, empty where there is no label: so pandas once wrote the competition's file."""
    return [f"{ids[question.labels[letter]]}.0" if letter in question.labels else "" for letter in LETTERS]


def _render(rows: Iterable[Sequence]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.synthesis.malrules.generate", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=240)
    parser.add_argument("--test-questions", type=int, default=60)
    parser.add_argument("--seed", default="demo")
    parser.add_argument(
        "--rationales",
        action="store_true",
        help=f"write {perfect_writer.FILE} as well, by the {perfect_writer.NAME}",
    )
    args = parser.parse_args()
    try:
        write_competition(**vars(args))
    except ValueError as error:
        parser.error(str(error))
    print(f"{args.folder}: {args.questions} training and {args.test_questions} test questions")


if __name__ == "__main__":
    main()
