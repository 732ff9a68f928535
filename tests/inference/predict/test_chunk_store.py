"""Guards chunk_store.py: the file on disk is whole, is the newest order, and is written seldom."""

import shutil

import polars as pl
import pytest

from inference.predict.chunk_store import ChunkStore
from shared.task.submission import check_submission, read_submission
from shared.task.tables import RANKED


class Clock:
    now = 0.0

    def __call__(self):
        self.now += 1  # every look at it takes a second
        return self.now


@pytest.fixture
def store(tmp_path, queries):
    store = ChunkStore(tmp_path / "submission.csv", Clock())
    store.add(queries[:5])
    store.add(queries[5:])
    return store


def ranking(store, ids):
    def rank(chunk):
        rows = [
            (query, id_, place, 0.0, None)
            for query in store.read("queries", chunk)["query_id"]
            for place, id_ in enumerate(ids, 1)
        ]
        return pl.DataFrame(rows, schema=RANKED.schema, orient="row")

    return rank


def test_the_chunks_become_one_valid_file_in_the_order_of_the_rows(store, queries):
    store.publish(ranking(store, [12, 10]), True)
    assert len(read_submission(store.out, queries, {10, 12})) == 28
    assert list(store.query_ids()) == queries["query_id"].to_list()
    assert check_submission(store.out, queries["query_id"], {10, 12}) == 14
    store.close()
    assert [path.name for path in store.out.parent.iterdir()] == ["submission.csv"]


def test_only_what_changed_is_ranked_again_and_only_after_fifty_times_what_writing_took(store, queries):
    assert store.publish(ranking(store, [10]), False) == 1  # at 1 s; took from 1 to 2
    store.keep("scored", 1, queries.select("query_id"))
    assert store.publish(ranking(store, [12]), False) == 1 and "12" not in store.out.read_text(
        encoding="utf-8"
    )  # too early
    store.clock.now += 50
    store.publish(ranking(store, [12]), False)
    assert [line.split(",")[1] for line in store.out.read_text(encoding="utf-8").splitlines()[1:]] == ["10"] * 5 + [
        "12"
    ] * 9
    before = store.out.stat().st_ino
    store.publish(ranking(store, [40]), True)  # nothing new is known
    assert store.out.stat().st_ino == before


def test_a_ranking_that_misses_a_query_leaves_the_file_as_it_was(store):
    store.publish(ranking(store, [10]), True)
    text = store.out.read_text(encoding="utf-8")
    store.keep("scored", 0, pl.DataFrame())
    with pytest.raises(ValueError, match="has no candidate"):
        store.publish(lambda chunk: ranking(store, [12])(chunk).filter(pl.col("query_id") != "1_B"), True)
    with pytest.raises(AssertionError, match="ranked twice"):
        store.publish(ranking(store, [12, 12]), True)
    assert store.out.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1_A,10", "1_A,", "row 1_A"),
        ("1_A,10", "1_A,10 10", "row 1_A"),
        ("1_A,10", "1_A,99", "row 1_A"),
        ("1_A,10\n", "", "where query 1_A should"),
        ("7_D,10\n", "", "None stands where query 7_D should"),
        ("7_D,10\n", "7_D,10\n9_A,10\n", "where query None should"),
        ("QuestionId_Answer", "Id", "expected"),
    ],
)
def test_a_file_that_is_not_valid_is_refused(store, queries, old, new, words):
    store.publish(ranking(store, [10]), True)
    store.out.write_text(store.out.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        check_submission(store.out, queries["query_id"], {10})


def test_what_the_disk_refused_is_published_by_the_next_attempt(store):
    (store.out / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        store.publish(ranking(store, [12, 10]), True)
    shutil.rmtree(store.out)
    store.publish(ranking(store, [12, 10]), True)
    assert store.out.is_file()
