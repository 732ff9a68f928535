"""Writes a first version of a task's definition by looking at the files in a folder, and says what it guessed."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from shared.artifacts.files import write_text
from shared.task.files.definition import DEFINITIONS, NAME, SUFFIXES, read_definition
from shared.task.files.looks import Look, look_at
from shared.task.files.records import SEVERAL
from shared.task.files.templates import Template

MARKS = (";", "|", ",")  # that may stand between several labels in one field
LABEL_WORDS = re.compile(
    r"label|tag|categor|kategori|thema|themen|topic|class|klasse|misconception|target|schlagw", re.I
)
ID_WORDS = re.compile(r"^_?(row_?)?id$|(^|_)id$|Id$|^nr$|nummer|number|^key$|kürzel|code", re.I)
GROUP_WORDS = re.compile(r"group|gruppe|customer|kund(e|in)|question_?id|user|session|thread|patient", re.I)
GRADE_WORDS = re.compile(r"score|grade|relevance|rating", re.I)


def write_definition(name: str, folder: Path) -> tuple[Path, list[str]]:
    """The new file shared/task/files/definitions/`name`.toml, and a sentence for everything that was guessed.

    Raises ValueError for a name that cannot be or is taken, and where the folder has no files to guess from.
    """
    path = DEFINITIONS / f"{name}.toml"
    if not NAME.fullmatch(name) or name == "eedi":
        raise ValueError(f"{name!r} is no name of a task: take small letters, digits, - and _, and not eedi")
    if path.exists():
        raise ValueError(f"{path} is there already: change it, or take another name")
    looks = [look_at(file, folder) for file in sorted(folder.rglob("*")) if file.suffix in SUFFIXES and file.is_file()]
    if not looks:
        raise ValueError(f"{folder} has no file that ends in {', '.join(SUFFIXES)}: say from=DIR, where your files are")
    parts, said = _guess(looks)
    text = _write(folder, parts)
    write_text(path, text)
    try:
        read_definition(path)
    except ValueError:
        path.unlink()
        raise
    return path, said


def _guess(looks: list[Look]) -> tuple[dict[str, dict[str, object]], list[str]]:
    judged = next((look for look in looks if _judgements(look, looks)), None)
    train = _train_file(looks, judged)
    rest = [look for look in looks if look not in (train, judged)]
    test = _test_file(rest, train, judged)
    said = [f"the queries for training are in {train.name}"]
    none = "those to predict are the same: no file is called test, or has some of these columns and no others"
    said.append(f"those to predict are in {test.name}" if test else none)
    others = [look for look in looks if look not in (train, test, judged) and "submission" not in look.name]
    catalogue = next((look for look in others if _looks_like_catalogue(look, train, judged)), None)
    sample = next((look for look in looks if "submission" in look.name and len(look.columns) == 2), None)
    labels = _labels(train, judged, catalogue, sample, said)
    hidden = set[str]() if test is None else set(train.columns) - set(test.columns)
    if labels["form"] == "column":
        hidden |= set(Template(labels["item"]).columns)
    queries = _queries(train, test, hidden, said)
    parts = {"queries": queries}
    if catalogue:
        parts["catalogue"] = _catalogue(catalogue, said)
    else:
        said.append("the catalogue is what the labels name, for no file looks like one")
    several = judged is not None or bool(labels.get("separator"))
    metric = {"name": "ndcg", "k": 10} if "grade" in labels else {"name": "map", "k": 3 if not catalogue else 10}
    said.append(f"the metric is {metric['name']}@{metric['k']}; what a split holds out are queries, not entries")
    mark = " " if not any(" " in value for value in _names(train, catalogue, labels)) else ";"
    columns = list(sample.columns) if sample else [str(queries["id"]), "items"]
    form = {"columns": columns, "k": int(metric["k"]) if sample else max(int(metric["k"]), 10)}
    parts |= {"labels": labels, "metric": {**metric, "hold_out": "groups"}, "submission": {**form, "separator": mark}}
    said.append(f"a query has {'several right answers' if several else 'one right answer'}")
    return parts, said


def _judgements(look: Look, looks: Sequence[Look]) -> bool:
    """Whether the file names queries and entries: three columns or so, of which two are ids of other files."""
    if not 2 <= len(look.columns) <= 4:
        return False
    ids = [
        {*other.columns[name]} for other in looks if other is not look for name in other.columns if other.unique(name)
    ]
    named = [column for column, values in look.columns.items() if any(set(values) <= known for known in ids)]
    return len(named) >= 2


def _train_file(looks: list[Look], judged: Look | None) -> Look:
    rest = [look for look in looks if look is not judged and "submission" not in look.name]
    named = [look for look in rest if re.search("train|quer", look.name, re.I)]
    return named[0] if named else max(rest, key=lambda look: sum(look.length(name) for name in look.columns))


def _test_file(looks: list[Look], train: Look, judged: Look | None) -> Look | None:
    """The file that is called so, or else one that has columns of the training file alone, but not all of them."""
    named = [look for look in looks if re.search("test", look.name, re.I)]
    like = [look for look in looks if len(look.columns) > 1 and set(look.columns) < set(train.columns)]
    return next(iter([*named, *(look for look in like if not _looks_like_catalogue(look, train, judged))]), None)


def _looks_like_catalogue(look: Look, train: Look, judged: Look | None) -> bool:
    ids = [name for name in look.columns if look.unique(name)]
    used = judged or train
    return any(_names_of(used.columns[column], set(look.columns[name])) for name in ids for column in used.columns)


def _names_of(values: Iterable[str], known: set[str]) -> bool:
    """Whether nearly all of `values`, one or several in a field, are among `known`."""
    parts = [part.strip() for value in values if value for part in re.split(f"[;|,{SEVERAL}]", value) if part.strip()]
    return bool(parts) and sum(part in known or part.removesuffix(".0") in known for part in parts) >= 0.95 * len(parts)


def _labels(
    train: Look, judged: Look | None, catalogue: Look | None, sample: Look | None, said: list[str]
) -> dict[str, str]:
    if judged is not None:
        queries = {value for name in train.columns if train.unique(name) for value in train.columns[name]}
        query = next(name for name, values in judged.columns.items() if set(values) <= queries)
        item = next(name for name in judged.columns if name != query and not GRADE_WORDS.search(name))
        grade = next((name for name in judged.columns if GRADE_WORDS.search(name)), "")
        graded = f", graded by {grade}" if grade else ""
        said.append(f"the right answers are in {judged.name}, columns {query} and {item}{graded}")
        made = {"form": "long", "file": judged.name, "query": query, "item": item}
        return made | ({"grade": grade} if grade else {})
    joined = list(sample.columns)[1].split(":") if sample else []
    if len(joined) > 1 and set(joined) <= set(train.columns):  # as Kaggle's Category:Misconception
        said.append(f"the right answers are columns {' and '.join(joined)} together, as {sample.name} has them")
        return {"form": "column", "item": ":".join(f"{{{name}}}" for name in joined)}
    column = _label_column(train, catalogue)
    known = set(catalogue.columns[_catalogue_id(catalogue)]) if catalogue else set[str]()
    mark = next((mark for mark in MARKS if _is_separator(train.columns[column], mark, known)), "")
    said.append(f"the right answers are in column {column}" + (f", several parted by {mark!r}" if mark else ""))
    return {"form": "column", "item": column, **({"separator": mark} if mark else {})}


def _label_column(train: Look, catalogue: Look | None) -> str:
    if catalogue:
        ids = [set(catalogue.columns[name]) for name in catalogue.columns if catalogue.unique(name)]
        for name, values in train.columns.items():
            if any(_names_of(values, known) for known in ids):
                return name
    fitting = [name for name in train.columns if not train.unique(name)]
    named = [name for name in fitting if LABEL_WORDS.search(name)]
    if named:
        return named[-1]
    if not fitting:
        raise ValueError(f"{train.name} has no column that could be the label: every one has other values in each row")
    return min(fitting, key=lambda name: (train.length(name), name))


def _is_separator(values: list[str], mark: str, known: set[str]) -> bool:
    """Whether the parts beside `mark` are `known` ids of the catalogue, or, without one, come again in other rows."""
    split = [value for value in values if mark in value]
    if not split:
        return False
    parts = [part.strip() for value in values for part in value.split(mark) if part.strip()]
    if known:
        return set(parts) <= known
    return len(set(parts)) < len({value for value in values if value})


def _queries(train: Look, test: Look | None, hidden: set[str], said: list[str]) -> dict[str, object]:
    unique = [name for name in train.columns if train.unique(name) and name not in hidden]
    if not unique:
        raise ValueError(f"{train.name} has no column with another value in every row: add one with ids")
    named = [name for name in unique if ID_WORDS.search(name)]
    own = (named or sorted(unique, key=train.length))[0]
    usable = [name for name in train.columns if name not in hidden | {own} and (test is None or name in test.columns)]
    group = next((name for name in usable if GROUP_WORDS.search(name) and not train.unique(name)), "")
    texts = [name for name in usable if name != group and train.length(name) >= 4 and not ID_WORDS.search(name)]
    texts = texts or [name for name in usable if name != group]
    if not texts:
        raise ValueError(f"{train.name} has no column with a text beside {own} and the labels")
    text = f"{{{texts[0]}}}" if len(texts) == 1 else "\n".join(f"{name}: {{{name}}}" for name in texts)
    said.append(f"the id is {own}, and models read {', '.join(texts)}")
    if group:
        said.append(f"rows with the same {group} stay in one fold")
    made = {"train": train.name, **({"test": test.name} if test else {}), "id": own}
    return {**made, **({"group": group} if group else {}), "text": text}


def _catalogue(look: Look, said: list[str]) -> dict[str, object]:
    own = _catalogue_id(look)
    texts = [name for name in look.columns if name != own] or [own]
    said.append(f"the catalogue is {look.name}: id {own}, text {', '.join(texts)}")
    empty = any(not any(values) for values in zip(*(look.columns[name] for name in texts), strict=True))
    text = "\n".join(f"{{{name}}}" for name in texts)
    return {"file": look.name, "id": own, "text": text, **({"empty": True} if empty else {})}


def _catalogue_id(look: Look) -> str:
    unique = [name for name in look.columns if look.unique(name)]
    return next((name for name in unique if ID_WORDS.search(name)), min(unique, key=look.length))


def _names(train: Look, catalogue: Look | None, labels: dict) -> list[str]:
    """Ids of entries, to see what can stand between two of them."""
    if catalogue:
        unique = [name for name in catalogue.columns if catalogue.unique(name)]
        return catalogue.columns[
            next((name for name in unique if ID_WORDS.search(name)), min(unique, key=catalogue.length))
        ]
    mark = labels.get("separator") or SEVERAL
    columns = Template(labels["item"]).columns
    return [part.strip() for name in columns for value in train.columns[name] for part in value.split(mark)]


def _write(folder: Path, parts: dict[str, dict[str, object]]) -> str:
    lines = [
        "# Made by `./just new-task`: look at every line, for it was guessed. docs/tasks.md says what each means.",
        "",
    ]
    lines += [f"folder = {json.dumps(folder.as_posix(), ensure_ascii=False)}", ""]
    for name in ("queries", "catalogue", "labels", "metric", "submission"):
        if name in parts:
            lines += [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in parts[name].items()), ""]
    lines += [
        "[words]",
        'query = "query"    # what prompts call a row',
        'item = "entry"     # and what they look for',
        "",
    ]
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, str) and "\n" in value:
        return f'"""\n{value}"""'
    return json.dumps(value, ensure_ascii=False)
