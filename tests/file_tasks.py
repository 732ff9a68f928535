"""Makes small data in the form of each task that a file defines, and an iteration that trains on it in seconds."""

import csv
import json
import random
from pathlib import Path

from shared.settings.load import ITERATIONS
from tests.soak.small_run import FIRST_ONLY, PARAMS
from training.synthesis.malrules.generate import write_competition

NAMES = ("map", "beir", "choices")
SLUG = "a-small-contest"
THINGS = ("rope", "jar", "kite", "lamp", "bell", "drum", "fork", "sail", "tent", "wheel")
SYLLABLES = ("ba", "do", "ki", "lu", "me", "no", "pa", "ri", "su", "ta", "ve", "zo")


def write_files(task: str, folder: Path) -> None:
    """The files of a small set in the form of `task`: 48 queries or so, and ten entries or more."""
    folder.mkdir(parents=True)
    {"map": _write_map, "beir": _write_beir, "choices": _write_choices}[task](folder, random.Random(task))


def write_iteration(checkout: Path, task: str, data: Path) -> None:
    """The iteration tiny0 of `task` in `checkout`, on the files in `data`, with the model of two layers in base/."""
    params = PARAMS.replace("DISTILL", "").replace('task = "Find it."\n', "")
    params = params.replace('"competition"', f'"{data}"').replace("highest = 40", "lowest = 0\nhighest = 10")
    params = params.replace("epochs = 2", "epochs = 1").replace("epoch = 2", "epoch = 1")
    params = params.replace("count = 6", "count = 4").replace("extra = 0", "extra = 2\npool = 10\nbootstrap = 50")
    path = checkout / ITERATIONS / "tiny0" / "params.toml"
    path.parent.mkdir(parents=True)
    path.write_text(f'task = "{task}"\n{FIRST_ONLY}{params}', encoding="utf-8")


def name_contest(checkout: Path, task: str) -> None:
    """Let the task's definition in `checkout` name a Kaggle competition."""
    path = checkout / "shared/task/files/definitions" / f"{task}.toml"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("slug")]
    path.write_text("\n".join([f'slug = "{SLUG}"', *lines]) + "\n", encoding="utf-8")


def words(draw: random.Random, count: int) -> str:
    """Words that no other text shares."""
    return " ".join("".join(draw.choices(SYLLABLES, k=3)) for _ in range(count))


def _write_map(folder: Path, draw: random.Random) -> None:
    header = ["row_id", "QuestionId", "QuestionText", "MC_Answer", "StudentExplanation"]
    rows = []
    for place in range(52):
        thing = THINGS[place % len(THINGS)]
        asked = [str(place), str(place % 5), f"How many {place % 5}?", str(place % 3), f"the {thing} {words(draw, 5)}"]
        rows.append([*asked, *(["True_Correct", "NA"] if place % 4 == 0 else ["False_Misconception", thing.title()])])
    _write_csv(folder / "train.csv", [[*header, "Category", "Misconception"], *rows[:48]])
    _write_csv(folder / "test.csv", [header, *(row[:5] for row in rows[48:])])


def _write_beir(folder: Path, draw: random.Random) -> None:
    docs = [{"_id": f"d{place}", "title": thing, "text": words(draw, 4)} for place, thing in enumerate(THINGS)]
    docs += [{"_id": "e", "title": "", "text": ""}, {"_id": "77", "title": "plain", "text": words(draw, 3)}]
    asked = [{"_id": f"q{place}", "text": f"{THINGS[place % 10]} {words(draw, 4)}"} for place in range(48)]
    (folder / "qrels").mkdir()
    for name, rows in (("corpus", docs), ("queries", asked)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    judged = [(f"q{place}", f"d{place % 10}", "2") for place in range(44)]  # four queries have no judgement
    judged += [(f"q{place}", f"d{(place + 1) % 10}", str(place % 2)) for place in range(0, 44, 3)]
    lines = ["\t".join(row) for row in [("query-id", "corpus-id", "score"), *judged]]
    (folder / "qrels/train.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_choices(folder: Path, draw: random.Random) -> None:
    write_competition(folder, questions=80, test_questions=4)  # two draws of 40 hold all of them out


def _write_csv(path: Path, rows: list[list[str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
