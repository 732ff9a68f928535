"""Makes a small folder of a task's files, with training rows as its test, for a kernel to rehearse on."""

import csv
import json
import random
import shutil
from pathlib import Path

import polars as pl

from shared.task.files.catalogue import read_catalogue
from shared.task.files.definition import Definition
from shared.task.files.labels import read_answers
from shared.task.files.queries import query_columns, read_queries
from shared.task.files.records import read_rows
from shared.task.folds import seed_of
from shared.task.task import SAMPLE_LABELS


def write_sample(definition: Definition, competition: Path, folder: Path, count: int, seed: str) -> None:
    """Fill `folder` with the task's files and `count` training rows as its test, and labels.csv, their right answers.

    Where the test is the training file itself, all of its rows are.
    """
    for name in definition.inputs:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name != definition.test or name == definition.queries.train:
            shutil.copyfile(competition / name, folder / name)
    train = competition / definition.queries.train
    if definition.test != definition.queries.train:
        columns = list(dict.fromkeys(query_columns(definition)))
        rows = [record.fields for record in read_rows(train, columns, "the sample is drawn from it")]
        drawn = sorted(random.Random(seed_of(seed)).sample(range(len(rows)), min(count, len(rows))))
        _write([{name: rows[place][name] for name in columns} for place in drawn], folder / definition.test)
    catalogue = read_catalogue(definition, competition)
    answers = read_answers(definition, competition, catalogue)
    wanted = set()
    for part in read_queries(definition, folder / definition.test, "test", type(answers)(), 5000):
        wanted |= set(part["query_id"])
    names = {number: name for name, number in catalogue.numbers.items()}
    form, labels = definition.submission, []
    for part in read_queries(definition, train, "train", answers, 5000):
        for query_id, right in part.select("query_id", "right").iter_rows():
            if query_id in wanted and right:
                labels.append((query_id, form.separator.join(names[id_] for id_ in right[: form.k])))
    pl.DataFrame(labels, schema=list(form.columns), orient="row").write_csv(folder / SAMPLE_LABELS)


def _write(rows: list[dict[str, str]], path: Path) -> None:
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            return
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
