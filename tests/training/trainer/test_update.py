"""Guards update.py: too little memory costs time and no result, and no number that is not finite gets anywhere."""

import pytest
import torch

from tests.training.tiny import (
    embedder_settings,
    make_embedder,
    make_reranker,
    randomise,
    reranker_settings,
    updates_of,
)
from training.trainer.loop import train
from training.trainer.update import Updates

KINDS = {"embedder": (make_embedder, embedder_settings), "reranker": (make_reranker, reranker_settings)}
PLENTY = 100_000  # tokens


class Narrow:
    """An objective on a machine whose memory holds a micro-batch of so many groups."""

    def __init__(self, objective, most, error=torch.OutOfMemoryError):
        self.objective, self.most, self.error, self.tried = objective, most, error, []
        self.count_tokens, self.evaluate = objective.count_tokens, objective.evaluate

    def accumulate(self, update, own, collect, seed):
        self.tried.append(max(map(len, own)))
        if self.tried[-1] > self.most:  # after some of the work: what it left must not count
            self.objective.accumulate(update, own[:1], collect, seed)
            raise self.error("no memory")
        return self.objective.accumulate(update, own, collect, seed)


@pytest.fixture
def make(tiny_causal, queries, misconceptions):
    def make(kind, **changes):
        make_one, settings_of = KINDS[kind]
        settings = settings_of(micro_tokens=PLENTY, batch=8, **changes)
        model, objective = make_one(tiny_causal, (queries, misconceptions), settings)
        return randomise(model), objective, settings, updates_of(queries, misconceptions, settings)[0]

    return make


@pytest.mark.parametrize("kind", ["reranker", "embedder"])
def test_an_update_without_enough_memory_begins_again_in_smaller_parts_and_comes_to_the_same(kind, make, capsys):
    model, objective, settings, groups = make(kind)
    wide = Updates(model, objective, settings)
    loss = wide.update(groups, "seed", 1e-2)
    model, objective, settings, groups = make(kind)
    narrow = Updates(model, Narrow(objective, 2), settings)
    assert narrow.update(groups, "seed", 1e-2) == pytest.approx(loss, abs=1e-10)
    torch.testing.assert_close(narrow.masters.weights, wide.masters.weights, atol=1e-10, rtol=0)
    assert narrow.objective.tried[0] == len(groups) and narrow.objective.tried[-1] <= 2
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(narrow.objective.tried) - 1
    assert said[0].startswith(f"out of memory at the update of query {groups[0].query_id}, ...: it begins again with ")
    narrow.update(groups, "seed", 1e-2)
    assert narrow.objective.tried[-1] <= 2 and not capsys.readouterr().out  # later updates know


def test_a_single_group_that_does_not_fit_is_one_sentence(make):
    model, objective, settings, groups = make("reranker")
    with pytest.raises(ValueError, match="a group of [0-9]+ tokens is too much for the memory: no memory"):
        Updates(model, Narrow(objective, 0), settings).update(groups, "seed", 1e-2)


# seed: `except RuntimeError: batch_size*3//4` hid every other error
def test_any_other_error_is_not_taken_for_a_lack_of_memory(make):
    model, objective, settings, groups = make("reranker")
    narrow = Narrow(objective, 0, RuntimeError)
    with pytest.raises(RuntimeError, match="^no memory$"):
        Updates(model, narrow, settings).update(groups, "seed", 1e-2)
    assert len(narrow.tried) == 1


@pytest.mark.parametrize("broken", ["loss", "rate"])
def test_a_number_that_is_not_finite_ends_training_before_a_checkpoint_holds_it(broken, make, tmp_path):
    model, objective, settings, groups = make("reranker", **({"rate": 1e308} if broken == "rate" else {}))
    if broken == "loss":
        objective.known[groups[0].misconception_ids[0]]  # its prompts stay; one weight is none any more
        with torch.no_grad():
            next(model.parameters())[0] = float("nan")
    objective.evaluate = dict
    with pytest.raises(ValueError, match="lower the rate"):
        train(model, objective, lambda epoch: [groups], settings, tmp_path / "work", "mine")
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("text", ["inf", "-inf", "nan"])
@pytest.mark.parametrize("key", ["rate", "clip", "distill", "warmup", "weight_decay", "checkpoint_seconds"])
def test_settings_are_finite(key, text):
    with pytest.raises(ValueError, match=key):
        reranker_settings(**{key: float(text)})
