"""Guards checkpoint.py: what is read back is what was saved, whole and of this run, or nothing."""

import copy
from dataclasses import replace

import pytest
import torch

from training.trainer.checkpoint import TrainingProgress, load_checkpoint, save_checkpoint
from training.trainer.lora import Masters

PROGRESS = TrainingProgress(epoch=2, step=3, losses=0.1 + 0.2, history=({"epoch": 0}, {"epoch": 1, "loss": 1 / 3}))
NEWER = TrainingProgress(epoch=2, step=4, losses=0.5, history=PROGRESS.history)


class Run:
    """A model of two parts, one frozen and one in 16 bits, its masters and their optimiser."""

    def __init__(self, seed):
        torch.manual_seed(seed)
        self.model = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2), "b": torch.nn.Linear(2, 2).bfloat16()})
        self.model["a"].weight.requires_grad_(False)
        self.masters = Masters(self.model)
        self.optimizer = torch.optim.AdamW([self.masters.weights], lr=0.1)

    def step(self):
        self.masters.weights.grad.copy_(torch.linspace(0.1, 0.4, len(self.masters.weights)))
        self.optimizer.step()
        self.masters.publish()
        return self

    def values(self):
        state = sorted(self.optimizer.state[self.masters.weights].items())
        return [self.masters.weights, *self.masters.live, *(value for _, value in state)]


def same(one, other):
    pairs = list(zip(one.values(), other.values(), strict=True))
    return all(left.dtype == right.dtype and torch.equal(left, right) for left, right in pairs)


@pytest.fixture
def saved(tmp_path):
    run = Run(1).step().step()
    save_checkpoint(tmp_path / "checkpoint", run.masters, run.optimizer, PROGRESS, "mine")
    return run


def load(tmp_path, run, fingerprint="mine"):
    return load_checkpoint(tmp_path / "checkpoint", run.masters, run.optimizer, fingerprint)


def test_what_is_loaded_is_what_was_saved_to_the_bit(saved, tmp_path):
    run = Run(2)
    assert load(tmp_path, run) == PROGRESS
    assert same(run, saved)
    assert same(run.step(), saved.step())  # and goes on alike


def test_a_state_from_before_the_first_step_is_kept_too(tmp_path):
    run, other = Run(1), Run(2)
    save_checkpoint(tmp_path / "checkpoint", run.masters, run.optimizer, PROGRESS, "mine")
    assert load(tmp_path, other) == PROGRESS
    assert same(run.step(), other.step())


def test_without_a_checkpoint_there_is_nothing(tmp_path):
    assert load(tmp_path, Run(2)) is None


def test_a_checkpoint_of_other_settings_or_inputs_is_not_taken_and_changes_nothing(saved, tmp_path):
    run = Run(2).step()
    before = copy.deepcopy(run)
    assert load(tmp_path, run, "another") is None
    assert same(run, before)


def test_the_two_newest_checkpoints_are_kept_and_the_newest_is_taken(saved, tmp_path):
    for progress in (PROGRESS, NEWER):
        save_checkpoint(tmp_path / "checkpoint", saved.step().masters, saved.optimizer, progress, "mine")
    run = Run(2)
    assert load(tmp_path, run) == NEWER
    assert same(run, saved)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "checkpoint.old"]


def test_a_whole_checkpoint_is_never_given_up_for_a_damaged_one(saved, tmp_path):
    before = copy.deepcopy(saved)
    save_checkpoint(tmp_path / "checkpoint", saved.step().masters, saved.optimizer, PROGRESS, "mine")
    _flip(tmp_path / "checkpoint" / "state.safetensors")
    save_checkpoint(tmp_path / "checkpoint", saved.step().masters, saved.optimizer, NEWER, "mine")
    _flip(tmp_path / "checkpoint" / "state.safetensors")
    run = Run(2)
    assert load(tmp_path, run) == PROGRESS
    assert same(run, before)


def test_a_disk_without_room_for_a_checkpoint_keeps_the_one_before(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("shared.artifacts.disk._free", lambda path: 1000)
    with pytest.raises(OSError, match="1.0 MB are needed"):
        save_checkpoint(tmp_path / "checkpoint", saved.masters, saved.optimizer, NEWER, "mine")
    assert load(tmp_path, Run(2)) == PROGRESS


def _cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def _replace(path, old, new):
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))


TORN = {
    "a short state": ("state.safetensors", _cut),
    "a wrong bit in the state": ("state.safetensors", _flip),
    "no state": ("state.safetensors", lambda path: path.unlink()),
    "a short progress": ("progress.json", _cut),
    "an empty progress": ("progress.json", lambda path: path.write_bytes(b"")),
    "no progress": ("progress.json", lambda path: path.unlink()),
    "a renamed key": ("progress.json", lambda path: _replace(path, b'"step"', b'"stop"')),
    "another number": ("progress.json", lambda path: _replace(path, b'"step": 3', b'"step": 1')),
    "a list": ("progress.json", lambda path: path.write_bytes(b"[]")),
}


@pytest.mark.parametrize("name", TORN)
def test_a_torn_checkpoint_counts_as_none_changes_nothing_and_is_named(saved, name, tmp_path, capsys):
    file, tear = TORN[name]
    tear(tmp_path / "checkpoint" / file)
    run = Run(2).step()
    before = copy.deepcopy(run)
    assert load(tmp_path, run) is None
    assert same(run, before)
    assert capsys.readouterr().err.startswith(f"{tmp_path / 'checkpoint' / file} is damaged (")


@pytest.mark.parametrize("name", TORN)
def test_behind_a_torn_checkpoint_the_one_before_is_taken(saved, name, tmp_path):
    newer = Run(3)
    save_checkpoint(tmp_path / "checkpoint", newer.masters, newer.optimizer, replace(NEWER, step=3), "mine")
    file, tear = TORN[name]
    tear(tmp_path / "checkpoint" / file)
    run = Run(2)
    assert load(tmp_path, run) == PROGRESS
    assert same(run, saved)


def test_a_kill_between_the_two_renames_loses_nothing(saved, tmp_path):
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    run = Run(2)
    assert load(tmp_path, run) == PROGRESS
    assert same(run, saved)


def die_while_saving(tmp_path, run):
    unwritable = TrainingProgress(2, 4, 0.5, ({"epoch": object()},))  # stops the save between its two files
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path / "checkpoint", run.masters, run.optimizer, unwritable, "mine")


def test_a_kill_while_saving_leaves_the_checkpoint_before(saved, tmp_path):
    die_while_saving(tmp_path, Run(3).step())
    run = Run(2)
    assert load(tmp_path, run) == PROGRESS
    assert same(run, saved)


def test_a_kill_while_saving_after_a_kill_between_the_renames_leaves_the_checkpoint_before(saved, tmp_path):
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    run = Run(2)
    load(tmp_path, run)
    die_while_saving(tmp_path, run.step())
    again = Run(4)
    assert load(tmp_path, again) == PROGRESS
    assert same(again, saved)
