"""Guards definition.py: what a definition says is taken, and every mistake is one sentence with its file and key."""

import re

import pytest

from shared.task.current import TASK, about, find_task, use
from shared.task.files.definition import find_definition, known_definitions, read_definition
from shared.task.files.templates import Template

GOOD = """
[queries]
train = "train.csv"
id = "Nr"
text = "{Betreff}: {Text}"

[labels]
form = "column"
item = "Thema"
separator = ";"

[metric]
name = "mrr"
k = 5

[submission]
columns = ["Nr", "Thema"]
k = 5
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
        return tmp_path / "mine.toml"

    return write


def test_every_shipped_definition_is_read():
    assert {"beir", "choices", "map"} <= set(known_definitions())
    assert [find_task(name).metric.key for name in ("eedi", "map", "beir", "choices")] == [
        *("map@25", "map@3", "ndcg@10", "map@25")
    ]


def test_what_is_not_said_has_a_sensible_value(written):
    made = read_definition(written(GOOD))
    assert made.test == "train.csv" and made.metric.unseen is None and made.slug == ""
    assert made.words.asked == 'A is a query, B is an entry. Does B belong to A? Predict either "Yes" or "No".'


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[metric]", "[metric", "mine.toml: "),
        ('name = "mrr"', 'name = "mmr"', "metric.name: "),
        ("k = 5\n\n", "k = 0\n\n", "metric.k: Input should be greater than or equal to 1, got '0'"),
        ('id = "Nr"\n', "", "queries.id: this key is missing"),
        ('id = "Nr"', 'idd = "Nr"\nid = "Nr"', "queries.idd: there is no such key; did you mean id?"),
        ('form = "column"', 'form = "columns"', "labels.form: it is one of column, long, wide"),
        ('separator = ";"', 'seperator = ";"', "labels.seperator: there is no such key; did you mean separator?"),
        ("{Betreff}", "{Betreff", "queries.text: the template cannot be read"),
        ("{Betreff}", "{}", "queries.text: the template has braces that are no {column}"),
        ('"train.csv"', '"train.xlsx"', "it is a file within the task's folder that ends in .csv, .tsv"),
        ('"train.csv"', '"../train.csv"', "it is a file within the task's folder"),
        ("k = 5\n\n", "k = 9\n\n", "submission.k: 5 is less than metric.k, 9"),
        ("[labels]", '[catalogue]\nfile = "a.csv"\n[labels]', "catalogue.file and catalogue.id: say both, or neither"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_file_and_the_key(written, old, new, sentence):
    assert old in GOOD
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        read_definition(written(GOOD.replace(old, new, 1)))
    assert "mine.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_task_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="there is no task 'bear'; there are: eedi, .*; did you mean beir"):
        find_definition("bear")
    with pytest.raises(ValueError, match="there is no task"):
        find_definition("../definition")


def test_a_process_is_about_eedi_until_it_is_about_another():
    assert (TASK.name, TASK.metric.depth) == ("eedi", 25)
    with about("beir"):
        assert (TASK.name, TASK.metric.title, TASK.metric.recall_key) == ("beir", "nDCG@10", "recall@10")
    assert TASK.name == "eedi" and use("eedi") is find_task("eedi")


def test_a_template_leaves_out_lines_whose_fields_are_empty():
    template = Template("Title: {title}\nFixed\n{a} and {b}\n{{{c}}}")
    assert template.columns == ["title", "a", "b", "c"]
    assert template.fill({"title": " ", "a": " x", "b": "", "c": "y"}) == "Fixed\nx and \n{y}"
    assert Template("Answer<option>").of("A", "B").fill({"AnswerA": " yes "}) == "yes"
