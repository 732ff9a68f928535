"""Reads a task's definition: one TOML file that says which files there are, what is asked, measured and handed in."""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.task.files.templates import Template
from shared.task.rank_figures import FIGURES

DEFINITIONS = Path(__file__).parent / "definitions"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def _is_table(name: str) -> str:
    path = Path(name)
    if path.suffix not in SUFFIXES or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"it is a file within the task's folder that ends in {', '.join(SUFFIXES)}")
    return name


class Part(BaseModel):
    """A part of a definition: frozen, and strict about what it is told."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Rows(Part):
    """Where the queries are, and what of their columns is used for what. A value without braces names one column."""

    train: str
    test: str = ""  # the same file, unless another is said
    id: Template
    group: Template = Template("")  # rows of one group stay in one fold; without it every query is its own
    text: Template  # what models read
    similar: Template = Template("")  # what is compared to find near duplicates: the text, unless said
    context: Template = Template("")  # what popularity is counted in first, and the report lists figures by


class Catalogue(Part):
    """Where the entries are. Without a file they are the labels that the training file has."""

    file: str = ""
    id: Template = Template("")
    text: Template = Template("")
    empty: bool = False  # whether an entry may have no text at all
    spaces: str = ""  # characters of an id that are spaces in its text, where there is no file


class LabelColumn(Part):
    """The right answers stand in the training file, in one column or several that a template joins."""

    form: Literal["column"]
    item: Template
    separator: str = ""  # between several in one field


class LabelFile(Part):
    """The right answers stand in a file of their own, a row for each."""

    form: Literal["long"]
    file: str
    query: str
    item: str
    grade: str = ""  # a column of whole numbers; without it every grade is 1
    least: Annotated[int, Field(ge=1)] = 1  # the lowest grade that counts as right


class LabelOptions(Part):
    """A row is several queries, one for each option, each with a column for its right answer.

    In the templates, <option> stands for the option, and <right> for the one that `right` names, which is no query.
    """

    form: Literal["wide"]
    options: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    item: Template
    right: str = ""


class Measure(Part):
    """What is measured, and what a split holds out."""

    name: Literal[tuple(FIGURES)]
    k: Annotated[int, Field(ge=1)]
    unseen: Annotated[float, Field(ge=0, le=1)] | None = None  # weight of queries with a never seen right answer
    hold_out: Literal["items", "groups"] = "items"


class Form(Part):
    """What is handed in."""

    file: str = "submission.csv"
    columns: Annotated[tuple[str, str], Field(strict=False)]
    k: Annotated[int, Field(ge=1)]
    separator: Annotated[str, Field(min_length=1)] = " "


class Words(Part):
    """The words of prompts and messages."""

    query: str = "query"
    item: str = "entry"
    instruction: str = ""  # of the reranker
    task: str = ""  # of the embedder, where it reads one

    @property
    def asked(self) -> str:
        """What the reranker is asked."""
        words = f"A is {_with_article(self.query)}, B is {_with_article(self.item)}."
        return self.instruction or f'{words} Does B belong to A? Predict either "Yes" or "No".'


def _with_article(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


class Definition(Part):
    """All of a definition."""

    about: str = ""
    slug: Annotated[str, Field(pattern="^[A-Za-z0-9-]*$")] = ""  # of the Kaggle competition
    folder: str = ""  # where the files usually are
    queries: Rows
    catalogue: Catalogue = Catalogue()
    labels: Annotated[LabelColumn | LabelFile | LabelOptions, Field(discriminator="form")]
    metric: Measure
    submission: Form
    words: Words = Words()

    @property
    def test(self) -> str:
        """The file whose queries are predicted."""
        return self.queries.test or self.queries.train

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every file that decides the tables."""
        label = self.labels.file if isinstance(self.labels, LabelFile) else ""
        return tuple(dict.fromkeys(filter(None, (self.queries.train, self.test, self.catalogue.file, label))))

    @model_validator(mode="after")
    def _fits_together(self) -> "Definition":
        for name in self.inputs:
            _is_table(name)
        if bool(self.catalogue.file) != bool(self.catalogue.id):
            raise ValueError("catalogue.file and catalogue.id: say both, or neither for a catalogue of the labels")
        if self.catalogue.file and not self.catalogue.text:
            raise ValueError("catalogue.text: say which columns make the text of an entry")
        if not self.catalogue.file and not isinstance(self.labels, LabelColumn):
            raise ValueError("catalogue.file: only labels of form column can be the catalogue themselves")
        if self.submission.k < self.metric.k:
            raise ValueError(f"submission.k: {self.submission.k} is less than metric.k, {self.metric.k}")
        return self


def known_definitions() -> list[str]:
    """The names of the definitions that are there."""
    return sorted(path.stem for path in DEFINITIONS.glob("*.toml"))


def find_definition(name: str) -> Definition:
    """The definition of that name. Raises ValueError, one sentence, where there is none or where it is wrong."""
    path = DEFINITIONS / f"{name}.toml"
    if not NAME.fullmatch(name) or not path.is_file():
        known = ["eedi", *known_definitions()]
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"there is no task {name[:60]!r}; there are: {', '.join(known)}{hint}")
    return read_definition(path)


def read_definition(path: Path) -> Definition:
    """The definition in the file `path`. Raises ValueError with the file and the line, or the key, of a mistake."""
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # not TOML, which names its line, or not UTF-8
        raise ValueError(f"{shown}: {error}") from None
    try:
        return Definition.model_validate(said)
    except ValidationError as errors:
        raise ValueError(f"{shown}: {_explain(errors.errors()[0])}") from None


def _explain(error: dict[str, Any]) -> str:
    forms = {"column", "long", "wide"}
    place = [str(part) for part in error["loc"] if part not in forms]
    key = ".".join(place)
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        near = get_close_matches(place[-1], _keys(place[:-1]), n=1)
        return f"{key}: there is no such key" + (f"; did you mean {near[0]}?" if near else "")
    if error["type"] == "missing":
        return f"{key}: this key is missing"
    if error["type"].startswith("union_tag"):
        return f"{key}.form: it is one of {', '.join(sorted(forms))}"
    given = "" if error["type"] == "value_error" and not key else f", got {str(error['input'])[:60]!r}"
    return f"{key}: {what}{given}" if key else what


def _keys(place: list[str]) -> list[str]:
    """The keys that a part has."""
    part: type[BaseModel] = Definition
    if place == ["labels"]:
        return [name for kind in (LabelColumn, LabelFile, LabelOptions) for name in kind.model_fields]
    for name in place:
        kind = part.model_fields[name].annotation if name in part.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        part = kind
    return list(part.model_fields)
