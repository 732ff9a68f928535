"""Guards the command line: what a person types reaches the right settings, and what is wrong is one sentence."""

import io
import json
import os
from pathlib import Path

import pytest

from shared.artifacts.locks import locked
from shared.artifacts.manifest import write_manifest
from shared.settings.load import load_settings, write_settings
from training.cli import main
from training.pipeline.inputs import inputs_of
from training.pipeline.recipe import recipe_of
from training.pipeline.run_stage import run_stage
from training.pipeline.stages import STAGES, stages_of
from training.run_folder.freshness import reasons_to_run
from training.synthesis.malrules.generate import write_competition


@pytest.fixture
def place(place) -> Path:
    """A folder with the iterations and a competition, in which commands run."""
    write_competition(place / "data/demo", questions=40, test_questions=4)
    return place


def test_an_iteration_without_previous_has_no_teacher_a_full_one_no_evaluation_and_none_quantises_unasked():
    names = [stage.name for stage in stages_of("full", load_settings("demo0"))]
    left_out = (
        "train_writer",
        "merge_writer",
        "explain",
        "describe",
        "train_teachers",
        "teach",
        "evaluate",
        "quantize",
    )
    assert names == [name for name in STAGES if not name.startswith(left_out)]
    asked = ("explain", "describe", "train_teachers", "quantize")
    unasked = [name for name in STAGES if not name.startswith(asked) and "writer" not in name]
    assert [stage.name for stage in stages_of("cv", load_settings("demo1"))] == unasked


def test_training_reads_the_teachers_scores_where_there_is_a_teacher(place):
    first, later = load_settings("demo0"), load_settings("demo1")
    before, run = Path("runs/demo0/cv"), Path("runs/demo1/cv")
    assert before / "mine_for_reranker" in inputs_of(STAGES["train_reranker"], before, first)
    assert run / "teach_reranker" in inputs_of(STAGES["train_reranker"], run, later)
    assert before / "merge_reranker" in inputs_of(STAGES["teach_reranker"], run, later)


def test_settings_go_to_the_iteration_and_what_is_said_of_data_and_machine_to_those_before_it_too(place):
    assert main(["settings", "iter=demo0", "train_embedder.rate=0.5"]) == 0
    assert main(["settings", "iter=demo1", "train_embedder.rate=0.25", "prepare.held_out=0.5"]) == 0
    settings = {
        name: json.loads((place / f"runs/{name}/cv/settings.json").read_text(encoding="utf-8"))
        for name in ("demo0", "demo1")
    }
    assert [settings[name]["train_embedder"]["rate"] for name in ("demo0", "demo1")] == [0.5, 0.25]
    assert [settings[name]["prepare"]["held_out"] for name in ("demo0", "demo1")] == [0.5, 0.5]


def test_a_report_needs_no_override_again(place, capsys):
    assert main(["settings", "iter=demo1", "prepare.held_out=0.5"]) == 0
    assert main(["report", "iter=demo1"]) == 2
    assert capsys.readouterr().err.startswith("error: no finished stage in runs/demo0/cv, runs/demo1/cv")


def test_a_plan_writes_nothing_and_gives_reasons(place, capsys):
    assert main(["plan", "iter=demo1"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("run ")]
    assert lines[0] == "run   runs/demo0/cv/prepare  it has no output"
    assert lines[1] == "run   runs/demo0/cv/mine_for_embedder  it has no output"
    assert len(lines) == 20 and not (place / "runs").exists()


def finish(stage, run, settings):
    """The output of a stage as run_stage leaves it, with something else inside."""
    recipe = recipe_of(stage, run, settings)
    (run / stage.name).mkdir(parents=True, exist_ok=True)
    (run / stage.name / "x").write_text("1", encoding="utf-8")
    lineage = {"fingerprint": recipe.fingerprint, "inputs": recipe.inputs, "settings": recipe.settings}
    write_manifest(run / stage.name, {**lineage, "seconds": 1.0})


def test_what_plan_calls_done_is_what_train_skips(place, capsys):
    settings, run = load_settings("demo0"), Path("runs/demo0/cv")
    for stage in stages_of("cv", load_settings("demo0")):
        finish(stage, run, settings)
    assert main(["plan", "iter=demo0"]) == 0
    assert all(line.startswith("done  ") for line in capsys.readouterr().out.splitlines())
    assert main(["train", "iter=demo0"]) == 0
    assert capsys.readouterr().out == "\nruns/demo0/cv is up to date: 9 of 9 stages were\n"
    assert main(["plan", "iter=demo0", "evaluate.depth=5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    todo = [line for line in lines if line.startswith("run")]
    assert todo == ["run   runs/demo0/cv/evaluate  evaluate.depth: 10 -> 5"]
    assert lines[-1].startswith("but runs/demo0/cv is evaluated, and evaluate.depth: 10 -> 5 would replace evaluate")


def test_what_a_kill_tore_behind_the_manifest_is_not_published(place):
    settings, run = load_settings("demo0"), Path("runs/demo0/cv")
    write_settings(settings, run)
    finish(STAGES["prepare"], run, settings)
    (run / "prepare").rename(run / ".prepare.partial")  # killed before the rename
    (run / ".prepare.partial/..verified.json.partial").write_text("{", encoding="utf-8")
    run_stage("prepare", run)
    assert not list((run / "prepare").glob(".*.partial"))
    assert not (run / ".prepare.partial").exists()


@pytest.mark.parametrize("verify", [[], ["--verify"]])
def test_an_output_whose_bytes_changed_is_neither_called_up_to_date_nor_read(place, capsys, verify):
    settings, run = load_settings("demo0"), Path("runs/demo0/cv")
    for stage in stages_of("cv", settings):
        finish(stage, run, settings)
    (run / "train_reranker" / "x").write_text("2", encoding="utf-8")
    assert main(["train", "iter=demo0", *verify]) == 2
    assert "error: runs/demo0/cv/train_reranker/x differs: SHA-256" in capsys.readouterr().err
    (run / "merge_reranker" / "manifest.json").unlink()
    with pytest.raises(ValueError, match="train_reranker/x differs"):
        run_stage("merge_reranker", run)


def test_a_changed_setting_is_named_and_what_changes_no_result_is_not_a_reason(place):
    run, stage = Path("runs/demo0/cv"), STAGES["prepare"]
    before = load_settings("demo0")
    finish(stage, run, before)
    assert reasons_to_run(run / "prepare", recipe_of(stage, run, before)) == []
    other = load_settings("demo0", ["prepare.held_out=0.5"])
    assert reasons_to_run(run / "prepare", recipe_of(stage, run, other)) == ["prepare.held_out: 0.25 -> 0.5"]
    (place / "data/moved").symlink_to(place / "data/demo")
    moved = load_settings("demo0", ["prepare.competition=data/moved"])  # the same files, in another place
    assert reasons_to_run(run / "prepare", recipe_of(stage, run, moved)) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train"], "say which iteration"),
        (["train", "iter=9"], "there is no iteration 'iter9'; there are: cranfield0, demo0"),
        (["train", "iter=.."], "there is no iteration '..'"),
        (["train", "iter=demo0", "split=half"], "split=half: there are cv, cv2, cv3, cv4, questions, full"),
        (["plan", "iter=demo0", "rate=1"], "'rate=1' is none of iter=..., split=..., as=..., section.key=value"),
        (["plan", "iter=demo0", "train_embedder.rat=1"], "train_embedder.rat"),
        (["plan", "iter=demo1", "iteration.previous=iter0"], "an iteration's place stands in its params.toml"),
        (["train", "iter=iter0"], "data/eedi/train.csv does not exist: `just data` downloads the competition"),
        (["clean", "iter=..", "split=."], "there is no iteration '..'"),
        (["clean", "iter=demo0", "split=."], "split=.: there are cv, cv2, cv3, cv4, questions, full"),
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


def test_a_machine_that_is_not_there_is_said_before_anything_runs(place, capsys):
    many = ["machine.device=cuda", "machine.profile=h200", "machine.processes=99"]
    for words, sentence in (
        (many, "machine asks for 99 GPUs and"),
        (["machine.profile=h200"], "machine.device is cpu, and machine.profile h200 is for another"),
        (
            ["embedder.base=models/nobody"],
            "embedder.base=models/nobody is not there, and is no name of the Hugging Face",
        ),
    ):
        assert main(["train", "iter=demo0", *words]) == 2
        assert sentence in capsys.readouterr().err
        assert main(["plan", "iter=demo0", *words]) == 2
        assert f"cannot run here: {sentence}" in capsys.readouterr().out
        assert not (place / "runs").exists()


def test_what_computes_with_no_model_asks_for_no_gpu(place):
    assert main(["settings", "iter=demo0", "machine.device=cuda", "machine.profile=h200"]) == 0
    assert main(["prepare", "runs/demo0/cv"]) == 0
    assert [name for name, stage in STAGES.items() if not stage.has_model] == [
        "prepare",
        "explain",
        "describe",
        "audit",
    ]


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
    (trained / "x").write_text("1", encoding="utf-8")
    write_manifest(trained, {})
    assert main(["settings", "iter=demo0", "split=full", average]) == 0
    stage, run = STAGES["merge_reranker"], Path("runs/demo0/full")
    (run / "train_reranker").mkdir()
    (run / "train_reranker/x").write_text("1", encoding="utf-8")
    write_manifest(run / "train_reranker", {})
    finish(stage, run, settings)
    assert reasons_to_run(run / "merge_reranker", recipe_of(stage, run, settings)) == []
    (trained / "x").write_text("2", encoding="utf-8")
    write_manifest(trained, {})
    reasons = reasons_to_run(run / "merge_reranker", recipe_of(stage, run, settings))
    assert reasons == ["runs/demo0/cv2/train_reranker changed"]


def test_clean_deletes_a_stage_or_a_run_and_nothing_else(place):
    for name in ("prepare", ".train_embedder.state", "evaluate"):
        (place / "runs/demo0/cv" / name).mkdir(parents=True)
    (place / "runs/demo1/cv/prepare").mkdir(parents=True)
    assert main(["clean", "iter=demo0", "stage=train_embedder"]) == 0
    left = {path.name for path in (place / "runs/demo0/cv").iterdir()}
    assert {name for name in left if not name.endswith(".lock")} == {"evaluate", "prepare"}
    assert main(["clean", "iter=demo0", "--yes"]) == 0
    assert [str(path.relative_to(place)) for path in (place / "runs").glob("*/*")] == ["runs/demo1/cv"]


def test_a_whole_run_goes_only_when_a_person_says_so_and_knows_what_goes(place, capsys, monkeypatch):
    kept = place / "runs/demo0/cv/prepare"
    kept.mkdir(parents=True)
    (kept / "x").write_text("1" * 2_000_000, encoding="utf-8")
    write_manifest(kept, {})

    class Terminal(io.StringIO):
        def isatty(self):
            return self.getvalue() != ""

    for said, status in (("", 2), ("no\n", 0), ("\n", 0), ("yes\n", 0)):
        assert kept.is_dir()
        monkeypatch.setattr("sys.stdin", Terminal(said))
        assert main(["clean", "iter=demo0"]) == status
        heard = capsys.readouterr()
        assert heard.out.startswith("runs/demo0/cv holds 1 finished stage (prepare) and takes 2.0 MB\n")
        assert ("add --yes" in heard.err) == (said == "")
    assert not (place / "runs/demo0/cv").exists()


def test_clean_refuses_where_there_is_nothing_and_where_somebody_works(place, capsys):
    assert main(["clean", "iter=demo0"]) == 2
    assert "runs/demo0/cv does not exist: there is nothing to delete" in capsys.readouterr().err
    (place / "runs/demo0/cv/prepare").mkdir(parents=True)
    with locked(place / "runs/demo0/cv/.prepare.lock", "held"):
        for words in (["iter=demo0", "--yes"], ["iter=demo0", "stage=prepare"]):
            assert main(["clean", *words]) == 2
            assert "prepare.lock is held: another command works there" in capsys.readouterr().err
    assert (place / "runs/demo0/cv/prepare").is_dir()


def test_a_stage_refuses_other_settings_than_those_that_it_was_started_for(place):
    assert main(["settings", "iter=demo0"]) == 0
    run = Path("runs/demo0/cv")
    begun = recipe_of(STAGES["prepare"], run, load_settings("demo0")).fingerprint
    assert main(["settings", "iter=demo0", "prepare.held_out=0.5"]) == 0  # by another command, meanwhile
    with pytest.raises(ValueError, match="settings.json or an input changed while prepare started"):
        run_stage("prepare", run, begun)


@pytest.mark.parametrize("content", ["", "{", "[1]", '"a"', "{}"])
def test_damaged_notes_of_a_run_are_named_count_as_absent_and_are_written_anew(place, capsys, content):
    assert main(["settings", "iter=demo0"]) == 0
    whole = Path("runs/demo0/cv/settings.json").read_bytes()
    for name in ("overrides.json", "settings.json"):
        Path("runs/demo0/cv", name).write_text(content, encoding="utf-8")
    assert main(["prepare", "runs/demo0/cv"]) == 2
    assert "runs/demo0/cv/settings.json" in capsys.readouterr().err
    for command in ("plan", "settings"):
        assert main([command, "iter=demo1"]) == 0
        said = "runs/demo0/cv/overrides.json is damaged: it counts as absent; say again what was said when"
        assert capsys.readouterr().err.startswith(said)
    assert Path("runs/demo0/cv/settings.json").read_bytes() == whole
    assert main(["settings", "iter=demo0"]) == 0
    assert main(["plan", "iter=demo1"]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"files": {}}', '{"files": {}, "lineage": {"fingerprint": 3}}'])
def test_a_damaged_manifest_is_named_and_its_stage_made_again(place, capsys, content):
    assert main(["settings", "iter=demo0"]) == 0
    assert main(["prepare", "runs/demo0/cv"]) == 0
    made = Path("runs/demo0/cv/prepare/manifest.json")
    before = json.loads(made.read_text(encoding="utf-8"))["files"]
    made.write_text(content, encoding="utf-8")
    assert main(["prepare", "runs/demo0/cv"]) == 0
    assert f"prepare  made again: {made}" in capsys.readouterr().out
    assert json.loads(made.read_text(encoding="utf-8"))["files"] == before


def test_clean_refuses_while_a_stage_runs_that_may_read_what_would_go_and_names_its_process(place, capsys):
    (place / "runs/demo0/cv/prepare").mkdir(parents=True)
    with locked(place / "runs/demo0/cv/.train_embedder.lock", "held"):
        assert main(["clean", "iter=demo0", "stage=prepare"]) == 2
    assert f"works there; stop it first (held by process {os.getpid()}, " in capsys.readouterr().err
    assert (place / "runs/demo0/cv/prepare").is_dir()


def test_check_data_counts_the_rows_of_every_file(place, capsys):
    assert main(["check-data", "path=data/demo"]) == 0
    assert "data/demo/train.csv  40 rows, nothing wrong" in capsys.readouterr().out
