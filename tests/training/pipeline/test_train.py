"""Guards the command line: what a person types reaches the right settings, and what is wrong is one sentence."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from shared.artifacts.manifest import digest, write_manifest
from shared.settings.load import ITERATIONS, load_settings
from training.__main__ import main
from training.pipeline.inputs import inputs_of
from training.pipeline.plan import reasons_to_run
from training.pipeline.run_stage import is_done
from training.pipeline.stages import STAGES, stages_of
from training.pipeline.train import _forget_killed_runs, render_dvc
from training.synthesis.malrules.generate import write_competition

ROOT = Path(__file__).parents[3]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with the iterations and a competition, in which commands run."""
    (tmp_path / "training").mkdir()
    (tmp_path / ITERATIONS).symlink_to(ROOT / ITERATIONS)
    monkeypatch.chdir(tmp_path)
    write_competition(tmp_path / "data/demo", questions=40, test_questions=4)
    return tmp_path


@pytest.mark.parametrize("params", sorted(ITERATIONS.glob("*/params.toml")), ids=lambda path: path.parent.name)
def test_every_committed_dvc_yaml_is_what_the_stages_say(params):
    assert params.with_name("dvc.yaml").read_text() == render_dvc(params.parent.name)


def test_an_iteration_without_previous_has_no_teacher_a_full_one_no_evaluation_and_none_quantises_unasked():
    names, asked_for = [stage.name for stage in stages_of("full", "")], ["quantize_embedder", "quantize_reranker"]
    left_out = ("teach", "evaluate", "quantize")
    assert names == [name for name in STAGES if not name.startswith(left_out)]
    assert [stage.name for stage in stages_of("cv", "iter0")] + asked_for == list(STAGES)


def test_training_reads_the_teachers_scores_where_there_is_a_teacher():
    stage = STAGES["train_reranker"]
    assert Path("runs/iter0/cv/mine_for_reranker") in inputs_of(stage, "iter0", "", "cv")
    assert Path("runs/iter1/cv/teach_reranker") in inputs_of(stage, "iter1", "iter0", "cv")
    assert Path("runs/iter0/cv/merge_reranker") in inputs_of(STAGES["teach_reranker"], "iter1", "iter0", "cv")


def test_settings_go_to_the_iteration_and_what_is_said_of_data_and_machine_to_those_before_it_too(place):
    assert main(["settings", "iter=demo0", "train_embedder.rate=0.5"]) == 0
    assert main(["settings", "iter=demo1", "train_embedder.rate=0.25", "prepare.held_out=0.5"]) == 0
    settings = {name: json.loads((place / f"runs/{name}/cv/settings.json").read_text()) for name in ("demo0", "demo1")}
    assert [settings[name]["train_embedder"]["rate"] for name in ("demo0", "demo1")] == [0.5, 0.25]
    assert [settings[name]["prepare"]["held_out"] for name in ("demo0", "demo1")] == [0.5, 0.5]


def test_a_report_needs_no_override_again(place, capsys):
    assert main(["settings", "iter=demo1", "prepare.held_out=0.5"]) == 0
    assert main(["report", "iter=demo1"]) == 2
    assert capsys.readouterr().err.startswith("error: no finished stage in runs/demo0/cv, runs/demo1/cv")


def test_a_plan_writes_nothing_and_gives_reasons(place, capsys):
    assert main(["plan", "iter=demo1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "run   runs/demo0/cv/prepare  it has no output"
    assert lines[1] == "run   runs/demo0/cv/mine_for_embedder  it has no output; runs/demo0/cv/prepare runs"
    assert len(lines) == 20 and not (place / "runs").exists()


def test_a_changed_setting_is_named_and_what_changes_no_result_is_not_a_reason(place):
    run, stage = place / "runs/demo0/cv", STAGES["prepare"]
    before = load_settings("demo0")
    (run / "prepare").mkdir(parents=True)
    (run / "prepare/x").write_text("x")
    made = {"prepare": before.model_dump(mode="json")["prepare"]}
    from training.pipeline.run_stage import competition_digest

    write_manifest(run / "prepare", {"settings": made, "inputs": {"competition": competition_digest(before)}})
    assert reasons_to_run(stage, run, before, set()) == []
    other = load_settings("demo0", ["prepare.held_out=0.5"])
    assert reasons_to_run(stage, run, other, set()) == ["prepare.held_out: 0.25 -> 0.5"]
    assert not is_done(run / "prepare", "0")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train"], "say which iteration"),
        (["train", "iter=9"], "there is no iteration 'iter9'; there are: demo0"),
        (["train", "iter=.."], "there is no iteration '..'"),
        (["train", "iter=demo0", "split=half"], "split=half: there are cv, cv2, cv3, cv4, questions, full"),
        (["plan", "iter=demo0", "rate=1"], "'rate=1' is none of iter=..., split=..., section.key=value"),
        (["plan", "iter=demo0", "train_embedder.rat=1"], "train_embedder.rat"),
        (["plan", "iter=demo1", "iteration.previous=iter0"], "an iteration's place stands in its params.toml"),
        (["train", "iter=iter0"], "data/eedi/train.csv does not exist: `just data` downloads the competition"),
        (["clean", "iter=..", "split=."], "split=.: there are cv, cv2, cv3, cv4, questions, full"),
        (["clean", "iter=demo0", "stage=.."], "stage=..: there are prepare"),
        (["check-data", "path=nowhere"], "nowhere"),
        (["report", "iter=demo0"], "no finished stage in runs/demo0/cv"),
        (["train_embedder", "runs/demo0"], "'runs/demo0' is no run folder like runs/iter1/cv"),
        (["train_embedder", "runs/demo0/cv"], "settings.json does not exist: python -m training settings"),
        (["fly"], "'fly' is no command; the stages are: prepare"),
        (["demo", "questions=many"], "questions=many: say a number"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_status_2_and_nothing_is_written(place, capsys, arguments, sentence):
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ") and sentence in said
    assert not (place / "runs").exists()


def test_a_machine_that_is_not_there_is_said_before_anything_is_loaded(place, capsys):
    assert main(["settings", "iter=demo0", "machine.device=cuda", "machine.profile=h200", "machine.processes=99"]) == 0
    assert main(["prepare", "runs/demo0/cv"]) == 2
    assert "machine asks for 99 GPUs and" in capsys.readouterr().err
    assert main(["settings", "iter=demo0", "machine.profile=h200"]) == 0
    assert main(["prepare", "runs/demo0/cv"]) == 2
    assert "machine.device is cpu, and machine.profile h200 is for another" in capsys.readouterr().err


def test_adapters_are_averaged_in_split_full_only_and_make_the_merge_run_again(place, capsys):
    average = 'merge_reranker.average=["cv2"]'
    assert main(["settings", "iter=demo0", average]) == 2
    assert "merge_reranker.average: runs/demo0/cv holds out data that cv2 was trained on" in capsys.readouterr().err
    assert main(["settings", "iter=demo0", "split=full", average]) == 2
    assert "runs/demo0/cv2/train_reranker is not there yet" in capsys.readouterr().err
    assert not (place / "runs").exists()
    assert main(["settings", "iter=demo0", "split=full", 'merge_reranker.average=["cv9"]']) == 2
    assert "merge_reranker.average.0: Input should be" in capsys.readouterr().err
    trained, settings = place / "runs/demo0/cv2/train_reranker", load_settings("demo0", [average])
    trained.mkdir(parents=True)
    (trained / "x").write_text("1")
    write_manifest(trained, {})
    assert main(["settings", "iter=demo0", "split=full", average]) == 0
    first = (place / "runs/demo0/full/averaged.json").read_text()
    assert list(json.loads(first)) == ["runs/demo0/cv2/train_reranker"]
    stage, run = STAGES["merge_reranker"], Path("runs/demo0/full")
    (run / "train_reranker").mkdir()
    for folder in (run / "train_reranker", run / "merge_reranker"):
        folder.mkdir(exist_ok=True)
        (folder / "x").write_text("1")
    write_manifest(run / "train_reranker", {})
    values = settings.model_dump(mode="json")
    inputs = {str(folder): digest(folder) for folder in (run / "train_reranker", Path("runs/demo0/cv2/train_reranker"))}
    lineage = {"inputs": inputs, "settings": {name: values[name] for name in stage.sections}}
    write_manifest(run / "merge_reranker", lineage)
    assert reasons_to_run(stage, run, settings, set()) == []
    (trained / "x").write_text("2")
    write_manifest(trained, {})
    assert reasons_to_run(stage, run, settings, set()) == ["runs/demo0/cv2/train_reranker changed"]
    assert main(["settings", "iter=demo0", "split=full", average]) == 0
    assert (place / "runs/demo0/full/averaged.json").read_text() != first  # which DVC watches


def test_clean_deletes_a_stage_or_a_run_and_nothing_else(place):
    for name in ("prepare", ".train_embedder.state", "evaluate"):
        (place / "runs/demo0/cv" / name).mkdir(parents=True)
    (place / "runs/demo1/cv/prepare").mkdir(parents=True)
    assert main(["clean", "iter=demo0", "stage=train_embedder"]) == 0
    assert sorted(path.name for path in (place / "runs/demo0/cv").iterdir()) == ["evaluate", "prepare"]
    assert main(["clean", "iter=demo0"]) == 0
    assert [str(path.relative_to(place)) for path in (place / "runs").glob("*/*")] == ["runs/demo1/cv"]


def test_check_data_counts_the_rows_of_every_file(place, capsys):
    assert main(["check-data", "path=data/demo"]) == 0
    assert "data/demo/train.csv  40 rows, nothing wrong" in capsys.readouterr().out


def test_a_killed_run_is_forgotten_also_before_it_is_reaped(tmp_path):
    lock, dead = tmp_path / "rwlock", subprocess.Popen(["true"])
    while Path("/proc", str(dead.pid), "stat").read_text().split()[2] != "Z":
        time.sleep(0.01)
    lock.write_text(json.dumps({"runs/x": {"write": {"pid": dead.pid, "cmd": "dvc"}}}))
    _forget_killed_runs(lock)
    assert not lock.exists()
    dead.wait()
