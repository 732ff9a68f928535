"""Guards what plan says of a stage before it runs: its bases, its machine, its time, and what is missing."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from inference.machine.hardware import Gpu, this_machine
from shared.artifacts.manifest import write_manifest
from shared.settings.load import load_settings
from training.pipeline.ahead import machine, prospect
from training.pipeline.ahead.bases import Base, bases_of
from training.pipeline.ahead.hours import estimate
from training.pipeline.ahead.prospect import describe, duration, notes, prospects, refuse_impossible
from training.pipeline.ahead.survey import survey
from training.pipeline.chain import resolve
from training.run_folder.names import Target
from training.synthesis.malrules.generate import write_competition

RUN = Path("runs/iter0/cv")
QWEN = Base("Qwen/Qwen2.5-14B-Instruct", "fetched", 14e9, "bfloat16")


@pytest.fixture
def place(place, monkeypatch) -> Path:
    """A folder with the iterations and a competition, on a machine of two H200."""
    write_competition(place / "data/demo", questions=40, test_questions=4)
    gpus = (Gpu("NVIDIA H200", 140.0, 9.0),) * 2
    made_up = replace(this_machine(), gpus=gpus, gib=16.0, disk_gib=100.0)
    for module in (machine, prospect):
        monkeypatch.setattr(module, "hardware", lambda: made_up)
    return place


def steps(iteration, *said):
    return survey(resolve(Target(iteration, overrides=said)))


def test_a_stage_names_its_bases_its_machine_and_its_time(place):
    found = {one.step.out: one for one in prospects(steps("iter1", "prepare.competition=data/demo"))}
    assert len(found) == 20 and not any(one.missing for one in found.values())
    said = describe(found[RUN / "train_reranker"])
    assert said.startswith(
        "with Qwen/Qwen2.5-14B-Instruct (fetched), on cuda in 2 processes, 26.1 GiB of weights in each"
    )
    assert ", 140.0 GiB there, 26.1 GiB of disk, about " in said and said.endswith(", from rates measured on an H200")
    assert describe(found[RUN / "prepare"]) == "reads data/demo"
    assert describe(found[RUN / "audit"]) == ""
    assert "in 1 process, " in describe(found[RUN / "mine_for_embedder"])  # vLLM


def test_hours_follow_from_measured_rates_size_and_gpus(place):
    settings = load_settings("iter0")
    # 4 epochs of 0.75 x 1,000 groups at 9.55 a second for 14.77 B parameters, on two GPUs
    expected = 4 * 750 / 9.55 * 14 / 14.77 / 2
    assert estimate("train_reranker", RUN, settings, [QWEN], 1000).seconds == pytest.approx(expected)
    assert estimate("train_reranker", RUN, load_settings("demo0"), [QWEN], 1000).seconds is None  # a CPU
    assert estimate("train_reranker", RUN, settings, [replace(QWEN, parameters=0.0)], 1000).seconds is None


def test_what_was_timed_here_goes_before_measured_rates_and_counts_its_epochs(place):
    out = Path("runs/iter0/cv2/train_reranker")
    out.mkdir(parents=True)
    (out / "x").write_text("x", encoding="utf-8")
    settings = load_settings("iter0")
    values = settings.model_dump(mode="json")
    sections = {name: values[name] for name in ("reranker", "train_reranker")}
    write_manifest(out, {"seconds": 100.0, "settings": sections})
    longer = load_settings("iter0", ["train_reranker.epochs=8"])
    found = estimate("train_reranker", RUN, longer, [QWEN], 1000)
    assert (found.seconds, found.source) == (200.0, f"as {out} took")
    other = load_settings("iter0", ["reranker.base=models/smollm2-135m"])
    assert estimate("train_reranker", RUN, other, [QWEN], 1000).source != found.source


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            ["reranker.base=models/smol"],
            "reranker.base=models/smol is not there, and is no name of the Hugging Face hub",
        ),
        (["embedder.base=../none"], "embedder.base=../none is not there"),
        (["reranker.base=Big/Model-900B"], "the weights of Big/Model-900B take 1676.4 GiB"),
        (["machine.processes=3"], "machine asks for 3 GPUs and 2 are there"),
        (["machine.profile=cpu"], "machine.device is cuda, and machine.profile cpu is for another"),
    ],
)
def test_what_cannot_work_is_said_before_anything_runs(place, said, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        refuse_impossible(steps("iter0", "prepare.competition=data/demo", *said))


def test_the_teachers_base_is_that_of_the_iteration_before():
    first, later = load_settings("small0", ["reranker.base=a/teacher-1B"]), load_settings("small1")
    assert [base.name for base in bases_of("teach_reranker", later, first)] == ["a/teacher-1B"]
    assert [base.name for base in bases_of("mine_for_embedder", later, first)] == ["models/minilm"]


def test_a_profile_that_rounds_to_4_bits_lets_its_own_engine_read_what_does_not_fit_in_16():
    said = ["machine.profile=gpu24", "mine_for_reranker.engine=hf", "reranker.weights=nf4"]
    settings = load_settings("iter0", said)
    # 14 B parameters of 5 bits are 8.1 GiB, of 16 bits 26.1; vLLM, which evaluates, reads no NF4, and merging writes 16
    for stage, gib in {
        "mine_for_reranker": 8.1,
        "evaluate": 26.1,
        "merge_embedder": 26.1,
        "train_reranker": 8.1,
    }.items():
        assert [round(base.gib, 1) for base in bases_of(stage, settings, None)] == [gib], stage


@pytest.mark.parametrize("stage", ["train_writer", "explain"])
def test_a_writer_is_never_held_in_4_bits(stage):
    settings = load_settings("iter0", ["writer.base=a/writer-7B", "explain.writer=hf", "machine.profile=gpu24"])
    assert [(base.name, base.bits) for base in bases_of(stage, settings, None)] == [("a/writer-7B", 0.0)]


def test_a_base_that_is_said_of_the_last_iteration_alone_is_noted(place):
    said = ("prepare.competition=data/demo", "embedder.base=models/smollm2-135m")
    [note] = notes(steps("iter1", *said), said)
    assert note.startswith("embedder.base is said of iter1 alone: iter0 keeps Qwen/Qwen2.5-14B-Instruct; train it with")
    assert notes(steps("iter0", *said), said) == []


def test_durations_read_well():
    assert [duration(seconds) for seconds in (3.2, 100, 5399, 5400, 40000)] == [
        "3 s",
        "2 min",
        "90 min",
        "1.5 h",
        "11.1 h",
    ]
