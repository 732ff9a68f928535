"""Guards exact_search.py: exact, and the same whatever the order of the corpus."""

import numpy as np
import pytest

from inference.retrieval.exact_search import search, search_shards
from inference.retrieval.sharded_corpus import read_corpus, write_corpus


@pytest.fixture
def whole_numbers():
    """Vectors of small whole numbers, whose products float32 holds exactly: equal scores are equal to the bit."""
    rng = np.random.default_rng(7)
    corpus = rng.integers(-2, 3, (90, 3)).astype(np.float32)  # 125 kinds of rows: many duplicates
    return rng.integers(-2, 3, (41, 3)).astype(np.float32), corpus, rng.permutation(1000)[:90].astype(np.int64)


def by_brute_force(queries, corpus, ids, k):
    scores = queries @ corpus.T
    order = np.stack([np.lexsort((ids, -row))[:k] for row in scores])
    return ids[order], np.take_along_axis(scores, order, 1)


def test_the_best_come_first_and_ties_go_to_the_lower_id():
    corpus = np.array([[1, 0], [2, 0], [1, 0], [0, 5], [2, 0]], np.float32)
    found, scores = search(np.array([[1, 0]], np.float32), corpus, np.array([50, 40, 30, 20, 10]), 4)
    # products 1, 2, 1, 0, 2
    assert found.tolist() == [[10, 40, 30, 50]]
    assert scores.tolist() == [[2, 2, 1, 1]]


def test_a_tie_across_rank_k_goes_to_the_lower_ids_however_wide_it_is():
    corpus = np.ones((300, 4), np.float32)
    ids = np.random.default_rng(0).permutation(300)
    found, _ = search(np.ones((2, 4), np.float32), corpus, ids, 5)
    assert found.tolist() == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize("k", [1, 2, 10, 89, 90, 1000])
def test_it_finds_what_brute_force_finds_with_duplicates(whole_numbers, k):
    found, scores = search(*whole_numbers, k)
    expected_ids, expected_scores = by_brute_force(*whole_numbers, k)
    assert found.shape == (41, min(k, 90))
    np.testing.assert_array_equal(found, expected_ids)
    np.testing.assert_array_equal(scores, expected_scores)


def test_it_finds_what_brute_force_finds_among_unit_vectors():
    rng = np.random.default_rng(3)
    queries, corpus = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (rng.normal(size=(50, 16)), rng.normal(size=(400, 16)))
    )
    found, scores = search(queries.astype(np.float32), corpus.astype(np.float32), np.arange(400), 25)
    expected_ids, expected_scores = by_brute_force(queries, corpus, np.arange(400), 25)
    np.testing.assert_array_equal(found, expected_ids)  # no two of these scores are closer than float32 can tell
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)


# seed: `list(set(corpus))` gave another order, and so other negatives, on every run
def test_the_order_of_the_corpus_does_not_matter(whole_numbers):
    queries, corpus, ids = whole_numbers
    order = np.random.default_rng(1).permutation(90)
    for one, other in zip(
        search(queries, corpus, ids, 10), search(queries, corpus[order], ids[order], 10), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_query_gets_the_same_answer_alone_as_among_thousands(whole_numbers):
    queries, corpus, ids = whole_numbers
    many = np.tile(queries, (120, 1))  # 4,920: more than are searched at once
    found, _ = search(many, corpus, ids, 10)
    for row in range(41):
        np.testing.assert_array_equal(
            found[row::41], np.tile(search(queries[row : row + 1], corpus, ids, 10)[0], (120, 1))
        )


@pytest.mark.parametrize("k", [1, 7, 89, 1000])
@pytest.mark.parametrize("rows", [1, 13, 90])
def test_shards_find_what_brute_force_finds_with_ties_across_shards(whole_numbers, k, rows):
    queries, corpus, ids = whole_numbers
    shards = ((ids[start : start + rows], corpus[start : start + rows]) for start in range(0, 90, rows))
    found, scores = search_shards(queries, shards, k)
    expected_ids, expected_scores = by_brute_force(queries, corpus, ids, k)
    np.testing.assert_array_equal(found, expected_ids)
    np.testing.assert_array_equal(scores, expected_scores)


def test_a_corpus_on_disk_is_searched_exactly_and_goes_on_after_a_kill(whole_numbers, tmp_path, monkeypatch):
    monkeypatch.setattr("inference.retrieval.sharded_corpus.SHARD_BYTES", 4 * 3 * 20)  # 20 rows of width 3 in float32
    queries, corpus, ids = whole_numbers
    encoded = []

    def encode(part):
        encoded.append(part.start)
        if part.start == 60 and encoded.count(60) == 1:
            raise KeyboardInterrupt
        return corpus[part]

    with pytest.raises(KeyboardInterrupt):
        write_corpus(ids, encode, 3, tmp_path)
    write_corpus(ids, encode, 3, tmp_path)
    assert encoded == [0, 20, 40, 60, 60, 80]
    assert [len(rows) for _, rows in read_corpus(tmp_path)] == [20, 20, 20, 20, 10]
    found, scores = search_shards(queries, read_corpus(tmp_path), 10)
    expected_ids, expected_scores = by_brute_force(queries, corpus, ids, 10)
    np.testing.assert_array_equal(found, expected_ids)  # small whole numbers are exact in float16
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("name", ["000001.ids.npy", "000001.vectors.npy", "000001.sha256"])
def test_a_damaged_shard_of_a_corpus_is_not_searched_and_is_encoded_again(whole_numbers, tmp_path, monkeypatch, name):
    monkeypatch.setattr("inference.retrieval.sharded_corpus.SHARD_BYTES", 4 * 3 * 20)
    _, corpus, ids = whole_numbers
    write_corpus(ids, lambda part: corpus[part], 3, tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match="000001.vectors.npy is damaged"):
        list(read_corpus(tmp_path))
    encoded = []
    write_corpus(ids, lambda part: encoded.append(part.start) or corpus[part], 3, tmp_path)
    assert encoded == [20] and (tmp_path / name).read_bytes() == whole
