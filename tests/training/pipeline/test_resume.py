"""Guards going on: a run that was stopped anywhere and repeated ends as the one that was not, to the bit."""

import json

import pytest

from tests.training.tiny import embedder_settings, make_embedder, make_reranker, reranker_settings, updates_of
from training.trainer.loop import train

KINDS = {"embedder": (make_embedder, embedder_settings), "reranker": (make_reranker, reranker_settings)}
CHANGES = {"dropout": 0.1, "epochs": 2, "micro_tokens": 120}  # 2 epochs of 3 updates; what is random has to go on too


class Killed(BaseException):
    """Not an Exception: nobody may catch it."""


class Stopping:
    """An objective that is killed in its update number `update`, or in its evaluation number `evaluation`, from 0."""

    def __init__(self, objective, *, update=None, evaluation=None):
        self.objective, self.left = objective, {"update": update, "evaluation": evaluation}
        self.count_tokens = objective.count_tokens

    def accumulate(self, *arguments):
        self._count("update")
        return self.objective.accumulate(*arguments)

    def evaluate(self):
        self._count("evaluation")
        return self.objective.evaluate()

    def _count(self, what):
        if self.left[what] is not None:
            if self.left[what] == 0:
                raise Killed
            self.left[what] -= 1


@pytest.fixture
def start(tiny_causal, queries, misconceptions):
    def start(kind, work, *, fingerprint="mine", stop=None, **changes):
        make, settings_of = KINDS[kind]
        tables, settings = (queries, misconceptions), settings_of(**{**CHANGES, **changes})
        model, objective = make(tiny_causal, tables, settings, dtype="float32")
        epochs = lambda epoch: updates_of(*tables, settings, epoch)  # noqa: E731
        return train(model, Stopping(objective, **(stop or {})), epochs, settings, work, fingerprint)

    return start


def result(work):
    """The bytes of every adapter, and the mean loss of every epoch, to the last digit."""
    history = json.loads((work / "metrics.json").read_text(encoding="utf-8"))
    losses = [figures["loss"] for figures in history[1:]]
    return {path.parent.name: path.read_bytes() for path in work.glob("epoch_*/adapter_model.safetensors")} | {
        "": losses
    }


STOPS = [
    {"update": 0},
    {"update": 1},
    {"update": 3},
    {"update": 5},
    {"evaluation": 0},
    {"evaluation": 1},
    {"evaluation": 2},
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_stopped_and_repeated_ends_as_the_one_that_was_not(kind, start, tmp_path):
    start(kind, tmp_path / "whole")
    whole = result(tmp_path / "whole")
    assert set(whole) == {"epoch_1", "epoch_2", ""}
    for place, stop in enumerate(STOPS):
        work = tmp_path / str(place)
        with pytest.raises(Killed):
            start(kind, work, stop=stop)
        start(kind, work)
        assert result(work) == whole, stop


def test_a_run_that_is_stopped_at_every_update_still_comes_to_its_end(start, tmp_path):
    start("reranker", tmp_path / "whole")
    for _ in range(5):  # each goes on where the one before was stopped, and does one update
        with pytest.raises(Killed):
            start("reranker", tmp_path / "often", stop={"update": 1})
    start("reranker", tmp_path / "often", stop={"update": 1})  # the sixth and last update
    assert result(tmp_path / "often") == result(tmp_path / "whole")


def test_a_run_between_two_saves_goes_on_from_the_epoch_before(start, tmp_path):
    start("reranker", tmp_path / "whole")
    with pytest.raises(Killed):
        start("reranker", tmp_path / "rare", stop={"update": 5}, checkpoint_seconds=1e9)
    with pytest.raises(Killed):  # epoch 2 is done again from its first update on
        start("reranker", tmp_path / "rare", stop={"update": 2}, checkpoint_seconds=1e9)
    start("reranker", tmp_path / "rare", stop={"update": 3}, checkpoint_seconds=1e9)
    assert result(tmp_path / "rare") == result(tmp_path / "whole")


def test_a_finished_run_that_is_repeated_does_nothing(start, tmp_path):
    history = start("reranker", tmp_path / "work")
    before = result(tmp_path / "work")
    assert start("reranker", tmp_path / "work", stop={"update": 0, "evaluation": 0}) == history
    assert result(tmp_path / "work") == before


def test_other_settings_or_inputs_start_anew_and_leave_nothing_of_the_old_run(start, tmp_path):
    start("reranker", tmp_path / "work", epochs=3)
    start("reranker", tmp_path / "work", fingerprint="another")
    start("reranker", tmp_path / "whole")
    assert result(tmp_path / "work") == result(tmp_path / "whole")  # epoch_3 is gone
    assert [
        figures["epoch"] for figures in json.loads((tmp_path / "work" / "metrics.json").read_text(encoding="utf-8"))
    ] == [0, 1, 2]


def test_finished_adapters_are_kept_where_every_checkpoint_is_damaged(start, tmp_path, capsys):
    start("reranker", tmp_path / "whole")
    with pytest.raises(Killed):
        start("reranker", tmp_path / "work", stop={"update": 4})  # in epoch 2
    first = (tmp_path / "work/epoch_1/adapter_model.safetensors").read_bytes()
    for path in tmp_path.glob("work.state/checkpoint*/state.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(Killed):
        start("reranker", tmp_path / "work", stop={"update": 0})
    said = capsys.readouterr()
    assert "state.safetensors is damaged" in said.err and "work.state/before until then" in said.out
    assert (tmp_path / "work.state/before/epoch_1/adapter_model.safetensors").read_bytes() == first
    start("reranker", tmp_path / "work")
    assert result(tmp_path / "work") == result(tmp_path / "whole")


def test_nothing_of_an_adapter_is_left_that_a_kill_interrupted(start, tmp_path):
    work = tmp_path / "work"
    with pytest.raises(Killed):
        start("reranker", work, stop={"update": 4})
    torn = work / ".epoch_2.partial"  # as safetensors writes: under another name first
    torn.mkdir()
    (torn / ".tmp1a2b").write_bytes(b"half")
    start("reranker", work)
    assert sorted(path.name for path in work.iterdir()) == ["epoch_1", "epoch_2", "metrics.json"]
    assert not list(work.rglob(".*"))
