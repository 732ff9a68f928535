"""Guards the iterations that are there to be copied, for 24 GB and for two T4: they fit, and their hours are right."""

import json
import re
from dataclasses import replace

import pytest

from inference.machine.hardware import Gpu, this_machine
from inference.machine.profiles import load_profile
from shared.settings.load import ITERATIONS, load_settings
from shared.task.splits import DRAWS
from training.cli import main
from training.pipeline.ahead import doctor, machine, prospect
from training.pipeline.ahead.hours import RATES
from training.pipeline.ahead.prospect import refuse_impossible
from training.pipeline.ahead.shapes import shape_of
from training.pipeline.ahead.survey import survey
from training.pipeline.chain import resolve
from training.run_folder.names import NAME, Target
from training.synthesis.malrules.generate import write_competition

CONFIG = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 152064, "dtype": "bfloat16"}
KEYS = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
SIZES = {"7B": (28, 3584, 18944, 28, 4), "14B": (48, 5120, 13824, 40, 8)}
PAIRS = 4370  # labelled ones of the competition
H200 = 505  # TFLOP/s of the trainings that RATES are of: 0.64 of 790 (benchmarks/measured/train_reranker.txt)
# iteration: its size, the GPUs it is for, and the TFLOP/s that are taken for granted of all of them together
FOR = {
    "iter7b-24gb": ("7B", (Gpu("NVIDIA GeForce RTX 4090", 24.0, 8.9),), 100),
    "iter14b-24gb": ("14B", (Gpu("NVIDIA GeForce RTX 4090", 24.0, 8.9),), 100),
    "iter7b-t4x2": ("7B", (Gpu("Tesla T4", 15.0, 7.5),) * 2, 52),
}


@pytest.fixture
def on(place, monkeypatch):
    """Make this a machine with such GPUs, 32 GiB of memory, 100 of disk, and nothing of the hub."""
    write_competition(place / "data/demo", questions=40, test_questions=4)
    monkeypatch.setattr("training.pipeline.ahead.bases.cached_config", lambda name: None)
    monkeypatch.setattr("training.pipeline.ahead.shapes.cached_config", lambda name: None)

    def make(gpus):
        made_up = replace(this_machine(), gpus=gpus, gib=32.0, disk_gib=100.0)
        for module in (machine, prospect, doctor):
            monkeypatch.setattr(module, "hardware", lambda: made_up)

    return make


@pytest.mark.parametrize("name", FOR)
def test_it_is_planned_and_fits_where_it_is_for(name, on, capsys):
    _, gpus, _ = FOR[name]
    on(gpus)
    assert main(["plan", f"iter={name}", "prepare.competition=data/demo"]) == 0
    said = capsys.readouterr().out
    assert "cannot run here" not in said and f"on cuda in {len(gpus)} process" in said
    assert main(["doctor", f"iter={name}"]) == 0


@pytest.mark.parametrize("name", FOR)
def test_a_base_folder_of_the_shape_without_weights_is_planned_too_and_a_small_gpu_refused(name, on, place):
    size, gpus, _ = FOR[name]
    (place / "base").mkdir()
    config = CONFIG | dict(zip(KEYS, SIZES[size], strict=True))
    (place / "base/config.json").write_text(json.dumps(config), encoding="utf-8")
    said = [f"{role}.base={place / 'base'}" for role in ("embedder", "reranker")]
    steps = survey(resolve(Target(name, overrides=("prepare.competition=data/demo", *said))))
    on(gpus)
    refuse_impossible(steps)
    assert shape_of(str(place / "base")).linears == shape_of(f"Qwen/Qwen2.5-{size}-Instruct").linears
    assert main(["doctor", f"iter={name}", *said]) == 0
    on(tuple(replace(gpu, gib=6.0) for gpu in gpus))  # less than any of them takes
    assert main(["doctor", f"iter={name}", *said]) == 2


@pytest.mark.parametrize("name", FOR)
def test_an_update_of_the_embedder_is_computed_in_one_piece(name):
    settings, (_, gpus, _) = load_settings(name), FOR[name]
    # benchmarks/measured/train_embedder.json: 26,541 tokens in 48 queries
    assert settings.train_embedder.batch / len(gpus) * 26541 / 48 <= settings.train_embedder.micro_tokens


@pytest.mark.parametrize("name", FOR)
def test_the_first_line_says_machine_what_fits_and_hours_that_are_worked_out(name):
    size, _, speed = FOR[name]
    settings = load_settings(name)
    # On an H200 at 14B: 3 epochs of 3,277.5 queries at 17.2 a second are 572 s, 4 of groups at 9.55 are 1,373 s, with 4
    # FLOPs for each weight and token; nearly all layers compute again here, with 6. Scored are 25 candidates of 1,092.5
    # queries after each of 4 epochs and at the end: 136,563 pairs at 376 a second, 363 s; mined 2 * 4,370 at 334, 26 s
    trained = PAIRS * 0.75 * (3 / RATES["train_embedder"] + 4 / RATES["train_reranker"])
    scored = PAIRS * 0.25 * 25 * (4 + 1) / RATES["evaluate"] + 2 * PAIRS / RATES["mine_for_reranker"]
    assert (settings.train_embedder.epochs, settings.train_reranker.epochs, settings.prepare.held_out) == (3, 4, 0.25)
    # Linear weights: 6.53 G of 7B, 13.21 G of 14B
    share = {"7B": 6.53, "14B": 13.21}[size] / 13.21
    hours = (trained * 6 / 4 + scored) * share * H200 / speed / 3600
    first = (ITERATIONS / name / "params.toml").read_text(encoding="utf-8").splitlines()[0]
    assert re.search(rf"{hours:.1f} h(?: on a 4090)? \(computed, never run\)\.$", first), f"{hours:.1f}: {first}"
    assert f"Qwen2.5-{size}" in first and re.match("# (One GPU of 24 GB|Two T4)", first)


def test_the_pair_of_t4_computes_in_float16_with_pytorchs_own_attention():
    settings = load_settings("iter7b-t4x2")
    profile = load_profile(settings.machine.profile)
    assert (settings.embedder.dtype, settings.reranker.dtype, profile.dtype) == ("float16",) * 3
    assert not profile.packed and profile.nf4 and profile.replicas == 2


def test_bfloat16_on_a_t4_is_refused_before_anything_runs(on, capsys):
    on((Gpu("Tesla T4", 15.0, 7.5),) * 2)
    words = ["iter=iter7b-t4x2", "prepare.competition=data/demo"]
    assert main(["plan", *words, "reranker.dtype=bfloat16"]) == 2
    said = "reranker.dtype is bfloat16, which this GPU does not compute: reranker.dtype=float16"
    assert f"cannot run here: {said}\n" in capsys.readouterr().out
    assert main(["train", *words, "reranker.dtype=bfloat16"]) == 2
    assert capsys.readouterr().err == f"error: {said}\n"


@pytest.mark.parametrize("name", FOR)
def test_the_names_do_for_runs_and_for_kaggle(name):
    assert NAME.fullmatch(name) and re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name)
    assert 6 <= len(f"malrule-{name}-reranker-{DRAWS[0]}") <= 50
