"""Guards the iterations of the seed: docs/the-seed.md names every key in which ours differ, the numbers are its own."""

from pathlib import Path

import pytest

from shared.settings.load import load_settings

ROOT = Path(__file__).parents[3]
PAIRS = [("iter0", "seed0"), ("iter1", "seed1"), ("small0", "smallseed0"), ("small1", "smallseed1")]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def flat(sections, prefix=""):
    for key, value in sections.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def differences(ours, theirs):
    one, other = (dict(flat(load_settings(name).model_dump(mode="json"))) for name in (ours, theirs))
    assert one.keys() == other.keys()
    return {key for key in one if one[key] != other[key]} - {"iteration.previous"}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_the_page_names_every_key_in_which_an_iteration_differs_from_the_seeds(ours, theirs):
    page = (ROOT / "docs/the-seed.md").read_text(encoding="utf-8")
    assert [key for key in sorted(differences(ours, theirs)) if f"`{key}`" not in page] == []


@pytest.mark.parametrize("number", [0, 1])
def test_the_small_seed_differs_from_the_small_iteration_as_the_seed_does_from_ours(number):
    words = {"miner.task", "embedder.task"}  # MiniLM reads no instruction
    large, small = (differences(*pair) for pair in (PAIRS[number], PAIRS[number + 2]))
    assert large - words == small


def test_the_seeds_numbers_are_those_of_its_scripts():
    first, second = load_settings("seed0"), load_settings("seed1")
    for settings in (first, second):
        embedder, reranker = settings.train_embedder, settings.train_reranker
        assert (embedder.batch, embedder.group, embedder.rate, embedder.warmup, embedder.temperature) == (
            *(2 * 8, 8, 1e-4),
            *(0.1, 0.02),
        )
        assert (reranker.batch, reranker.group, reranker.rate, reranker.warmup) == (4 * 1 * 8, 16, 2e-4, 0.05)
        for train, dropout, decay in ((embedder, 0.1, 0.0), (reranker, 0.05, 0.01)):
            lora = train.lora
            assert (lora.rank, lora.alpha, lora.dropout, train.weight_decay) == (32, 64, dropout, decay)
        for mine, highest in ((settings.mine_for_embedder, 200), (settings.mine_for_reranker, 100)):
            assert (mine.lowest, mine.highest, mine.count, mine.negatives) == (2, highest, 15, "catalogue")
        assert (settings.embedder.query_tokens, settings.embedder.passage_tokens) == (1024, 512)
        assert (settings.reranker.query_tokens, settings.reranker.passage_tokens) == (384, 64)
    assert [(one.train_embedder.epochs, one.merge_embedder.epoch) for one in (first, second)] == [(3, 3), (4, 3)]
    assert [(one.train_reranker.epochs, one.merge_reranker.epoch) for one in (first, second)] == [(4, 3), (4, 3)]
    assert (second.train_embedder.distill, second.train_reranker.distill) == (2.0, 1.0)
    assert second.train_reranker.label_smoothing == 0.2
