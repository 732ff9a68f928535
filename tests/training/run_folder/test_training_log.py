"""Guards training_log.py: what is done twice counts once, another one's log is replaced, a torn line is left out."""

from datetime import UTC, datetime

import pytest

from shared.artifacts.lineage import Lineage
from training.run_folder.training_log import Began, TrainingLog, Updated, log_of, log_of_output, logs_of, read_log


@pytest.fixture
def log(tmp_path):
    path = log_of(tmp_path / ".train_embedder.partial")
    return TrainingLog(path, now=lambda: datetime(2026, 11, 26, 21, 15, 30, tzinfo=UTC))


def add(log, epoch, update, tokens=10):
    figures = {"loss": 0.5, "tokens": tokens, "seconds": 2.0, "peak_bytes": 1 << 30}
    log.add(epoch=epoch, update=update, updates=4, **figures)


def places(log, fingerprint="mine"):
    return [(line.epoch, line.update) for line in read_log(log.path, fingerprint) if isinstance(line, Updated)]


def test_it_lies_beside_the_output_of_its_stage_and_one_model_of_several_has_its_own(tmp_path):
    assert log_of(tmp_path / ".train_embedder.partial") == tmp_path / "train_embedder.log.jsonl"
    assert log_of(tmp_path / "train_embedder") == tmp_path / "train_embedder.log.jsonl"
    of_part = log_of(tmp_path / ".train_writer.partial/part_1")
    assert of_part == tmp_path / "train_writer.part_1.log.jsonl"
    for path in (of_part, tmp_path / "train_writer.log.jsonl", tmp_path / "train_writers.log.jsonl"):
        path.touch()
    assert [path.name for path in logs_of(tmp_path, "train_writer")] == [
        "train_writer.log.jsonl",
        "train_writer.part_1.log.jsonl",
    ]


def test_updates_behind_the_checkpoint_are_dropped_when_a_killed_training_goes_on(log):
    log.begin("mine", "a CPU", 1, (1, 0))
    for update in (1, 2, 3):
        add(log, 1, update)
    log.begin("mine", "1 x a GPU", 1, (1, 2))  # the checkpoint had two updates
    assert places(log) == [(1, 1), (1, 2)]
    add(log, 1, 3)
    log.begin("mine", "1 x a GPU", 1, (2, 0))
    assert places(log) == [(1, 1), (1, 2), (1, 3)]
    attempts = [line for line in read_log(log.path, "mine") if isinstance(line, Began)]
    assert [line.hardware for line in attempts] == ["a CPU", "1 x a GPU", "1 x a GPU"]
    assert attempts[0].at == "2026-11-26T21:15:30+00:00"


def test_a_training_that_begins_anew_or_is_another_has_a_log_of_its_own(log):
    log.begin("mine", "a CPU", 1, (1, 0))
    add(log, 1, 1)
    log.begin("mine", "a CPU", 1, (1, 0))
    assert places(log) == [] and len(read_log(log.path, "mine")) == 1
    add(log, 1, 1)
    log.begin("another", "a CPU", 1, (1, 0))
    assert read_log(log.path, "mine") == [] and len(read_log(log.path, "another")) == 1


def test_a_line_that_a_kill_cut_off_is_left_out(log):
    log.begin("mine", "a CPU", 1, (1, 0))
    add(log, 1, 1)
    text = log.path.read_text(encoding="utf-8")
    log.path.write_text(text + text.splitlines()[-1][:30], encoding="utf-8")
    assert places(log) == [(1, 1)]


def test_the_log_of_a_linked_output_is_that_of_the_run_it_is_linked_to(log, tmp_path):
    log.begin("mine", "a CPU", 1, (1, 0))
    here = tmp_path / "elsewhere/train_embedder"
    made = Lineage(fingerprint="mine", shared_with=str(tmp_path / "train_embedder"))
    assert len(log_of_output(here, made)) == 1
    assert log_of_output(here, Lineage(fingerprint="mine")) == []
    assert log_of_output(tmp_path / "train_embedder", Lineage(fingerprint="another")) == []


def test_a_log_that_the_disk_refuses_is_said_and_costs_no_training(log, capsys):
    log.begin("mine", "1 thread of a CPU", 1, (1, 0))
    log.path.unlink()
    log.path.mkdir()  # neither a file can be opened there, nor one put in its place
    add(log, 1, 1)
    log.begin("mine", "1 thread of a CPU", 1, (1, 1))
    assert capsys.readouterr().err.count("it is left out") == 2
