"""Small real things that the tests share: three random models with tokenizers, and the tables of a made-up quiz."""

from pathlib import Path

import polars as pl
import pytest
import torch

from shared.task.tables import MISCONCEPTIONS, QUERIES
from tests.tiny_models import make_bert, make_llama, make_qwen

torch.set_num_threads(1)  # a second thread costs more than it brings to models this small


QUERY_TABLE = [
    # id, question, subject, text, correct, wrong, misconception, fold
    ("1_A", 1, "Fractions", "1/2 + 1/3 = ?", "5/6", "2/5", 10, "train"),
    ("1_B", 1, "Fractions", "1/2 + 1/3 = ?", "5/6", "1/6", 12, "train"),
    ("2_A", 2, "Fractions", "Half of 3/4?", "3/8", "6/4", 11, "train"),
    ("2_C", 2, "Fractions", "Half of 3/4?", "3/8", "3/2", 10, "train"),
    ("3_A", 3, "Order of operations", "2 + 3 x 4 = ?", "14", "20", 20, "train"),
    ("3_D", 3, "Order of operations", "2 + 3 x 4 = ?", "14", "24", None, "train"),
    ("4_B", 4, "Negative numbers", "-3 - 4 = ?", "-7", "1", 30, "train"),
    ("4_C", 4, "Negative numbers", "-3 - 4 = ?", "-7", "7", 31, "train"),
    ("5_A", 5, "Order of operations", "8 - 2 x 3 = ?", "2", "18", 20, "train"),
    ("6_A", 6, "Negative numbers", "5 - 8 = ?", "-3", "3", 30, "valid"),
    ("6_B", 6, "Negative numbers", "5 - 8 = ?", "-3", "13", 40, "valid"),
    ("7_A", 7, "Decimals", "0.3 x 0.2 = ?", "0.06", "0.6", 41, "valid"),
    ("7_C", 7, "Decimals", "0.3 x 0.2 = ?", "0.06", "0.5", 42, "valid"),
    ("7_D", 7, "Decimals", "0.3 x 0.2 = ?", "0.06", "6", None, "valid"),
]
QUERY_ROWS = [
    (id_, number, f"Work with {subject.lower()}", subject, *rest) for id_, number, subject, *rest in QUERY_TABLE
]
MISCONCEPTION_TEXTS = {
    10: "Adds numerators and denominators",
    11: "Multiplies when asked for a half",
    12: "Multiplies instead of adding",
    20: "Works from left to right",
    21: "Adds before it multiplies",
    30: "Ignores the minus sign",
    31: "Thinks two minuses always make a plus",
    32: "Counts zero twice",
    40: "Adds when it should subtract",
    41: "Misplaces the point of a product",
    42: "Multiplies instead of adding",
    50: "Reads a table by its columns",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first: of several processes one is busy with it while the others run the rest."""
    items.sort(key=lambda item: item.path.name != "test_whole.py")


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory) -> Path:
    """See make_llama."""
    return make_llama(tmp_path_factory.mktemp("tiny_causal"))


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory) -> Path:
    """See make_qwen."""
    return make_qwen(tmp_path_factory.mktemp("tiny_qwen"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """See make_bert."""
    return make_bert(tmp_path_factory.mktemp("tiny_bert"))


@pytest.fixture(scope="session")
def queries() -> pl.DataFrame:
    """Fourteen wrong options of seven questions: eight labelled for training, four for validation, two by nobody."""
    return pl.DataFrame(QUERY_ROWS, schema=QUERIES.schema, orient="row")


@pytest.fixture(scope="session")
def misconceptions() -> pl.DataFrame:
    """Twelve misconceptions; 12 and 42 have the same words."""
    return pl.DataFrame(list(MISCONCEPTION_TEXTS.items()), schema=MISCONCEPTIONS.schema, orient="row")
