"""Guards named runs: they share what is the same, none is replaced unasked, and who deletes one harms no other."""

import json
import os
from pathlib import Path

import pytest

from shared.artifacts.files import replacing
from shared.artifacts.lineage import read_lineage
from shared.artifacts.locks import locked
from shared.artifacts.manifest import write_manifest
from shared.artifacts.verified import check_folder
from training.cli import main
from training.pipeline.ahead.survey import replaced, survey
from training.pipeline.chain import checked_chain, resolve, stages_in, write_settings_of
from training.pipeline.recipe import recipe_of
from training.pipeline.share import share
from training.run_folder.names import Target, plain_path
from training.synthesis.malrules.generate import write_competition

PLAIN, SLOW = Path("runs/demo0/cv"), Path("runs/demo0@slow/cv")


@pytest.fixture(scope="module")
def competition(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("competition")
    write_competition(folder, questions=40, test_questions=4)
    return folder


@pytest.fixture
def place(place, competition) -> Path:
    (place / "data").mkdir()
    (place / "data/demo").symlink_to(competition)
    return place


def finish(target):
    """Every stage of the target's chain that is not up to date, as if it had run; what is inside tells its settings."""
    write_settings_of(target)
    for run, settings, stage in stages_in(checked_chain(target)):
        recipe = recipe_of(stage, run, settings)
        if share(run, settings, recipe):
            continue
        (run / stage.name / "deep").mkdir(parents=True, exist_ok=True)
        for name in ("x", "deep/y"):
            with replacing(run / stage.name / name) as partial:  # as stages write, never into a file that is there
                partial.write_text(json.dumps(recipe.settings), encoding="utf-8")
        lineage = {"fingerprint": recipe.fingerprint, "inputs": recipe.inputs, "settings": recipe.settings}
        write_manifest(run / stage.name, {**lineage, "seconds": 7.0, "iteration": run.parent.name})


def said(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if line]


def test_a_named_run_links_every_stage_that_is_the_same_and_makes_the_others(place, capsys):
    finish(Target("demo0"))
    assert main(["plan", "iter=demo0", "as=slow", "train_reranker.rate=0.5"]) == 0
    kinds = [line.split()[0] for line in said(capsys) if line.startswith(("link", "run "))]
    assert kinds == ["link"] * 6 + ["run"] * 3  # prepare, mine, train, merge, mine, audit; train, merge, evaluate
    assert not SLOW.exists()
    assert main(["train", "iter=demo0", "as=slow"]) == 0
    assert said(capsys)[0] == "stage 1 of 9  runs/demo0@slow/cv/prepare  is that of runs/demo0/cv: linked"
    for stage in ("prepare", "evaluate"):
        for name in ("x", "deep/y"):
            assert os.path.samefile(PLAIN / stage / name, SLOW / stage / name)
        assert read_lineage(SLOW / stage).shared_with == str(PLAIN / stage)
    made = read_lineage(SLOW / "merge_reranker")
    assert made.iteration == "demo0@slow" and made.seconds == 7.0 and list(made.inputs) == [f"{SLOW}/train_reranker"]
    assert main(["train", "iter=demo0@slow"]) == 0
    assert said(capsys) == ["runs/demo0@slow/cv is up to date: 9 of 9 stages were"]


def test_a_run_is_not_harmed_when_one_that_it_is_linked_to_is_deleted_or_replaced(place, capsys):
    finish(Target("demo0"))
    finish(Target("demo0", name="slow"))
    finish(Target("demo0", overrides=("prepare.held_out=0.5",)))  # other bytes in every stage of the plain run
    assert not os.path.samefile(PLAIN / "prepare/x", SLOW / "prepare/x")
    for step in survey(resolve(Target("demo0", name="slow"))):
        assert not step.reasons
        check_folder(step.out, hash_all=True)
    assert main(["clean", "iter=demo0", "--yes"]) == 0 and not PLAIN.exists()
    assert main(["train", "iter=demo0", "as=slow", "--verify"]) == 0
    assert main(["train", "iter=demo0"]) == 0  # and the plain one comes back from the named
    assert os.path.samefile(PLAIN / "evaluate/x", SLOW / "evaluate/x")
    assert main(["clean", "iter=demo0", "as=slow", "--yes"]) == 0
    assert main(["train", "iter=demo0", "--verify"]) == 0
    assert said(capsys)[-1] == "runs/demo0/cv is up to date: 9 of 9 stages were"


def test_what_is_evaluated_is_replaced_by_nothing_that_did_not_ask_for_it(place, capsys):
    finish(Target("demo0"))
    before = (PLAIN / "evaluate/x").read_bytes()
    changes = ["evaluate.depth=5"], ["train_reranker.rate=0.5"], ["prepare.held_out=0.5"]
    for words in changes:
        assert main(["train", "iter=demo0", *words]) == 2
        sentence = capsys.readouterr().err
        assert sentence.startswith(f"error: runs/demo0/cv is evaluated, and {words[0].partition('=')[0]}: ")
        assert "as=NAME" in sentence and "--replace" in sentence and sentence.count("\n") == 1
    assert main(["train", "iter=demo1", "prepare.held_out=0.5"]) == 2  # an iteration before it counts as well
    assert "runs/demo0/cv is evaluated, and prepare.held_out: 0.25 -> 0.5" in capsys.readouterr().err
    assert main(["train", "iter=demo0", "machine.threads=2"]) == 0  # changes no result
    assert (PLAIN / "evaluate/x").read_bytes() == before


def test_what_is_not_finished_or_was_deleted_may_change(place):
    finish(Target("demo0"))
    assert main(["clean", "iter=demo0", "stage=evaluate"]) == 0
    steps = survey(resolve(Target("demo0", overrides=("evaluate.depth=5",))))
    assert [step.stage.name for step in steps if step.runs] == ["evaluate"]
    assert replaced(steps) == ""
    assert replaced(survey(resolve(Target("demo0", overrides=("train_reranker.rate=0.5",))))) == ""


def test_a_named_run_keeps_what_was_said_when_it_was_started_until_that_key_is_said_anew(place):
    write_settings_of(Target("demo0", name="slow", overrides=("train_reranker.rate=0.5", "evaluate.depth=5")))
    for overrides, rate in ((None, 0.5), ((), 0.5), (("train_reranker.rate=0.25",), 0.25)):
        [(run, settings)] = resolve(Target("demo0", name="slow", overrides=overrides))
        assert run == SLOW and (settings.train_reranker.rate, settings.evaluate.depth) == (rate, 5)
    [(_, plain)] = resolve(Target("demo0", overrides=()))
    assert plain.train_reranker.rate == 1e-3


def test_a_named_run_stands_on_the_run_of_its_name_where_there_is_one_or_other_data_is_said(place):
    def before(**said):
        (first, _), (_, later) = resolve(Target("demo1", name="slow", **said))
        assert later.iteration.previous == first.parent.name
        return first.parent.name

    assert before() == "demo0"
    assert before(overrides=("prepare.held_out=0.5",)) == "demo0@slow"
    write_settings_of(Target("demo1", name="slow"))
    write_settings_of(Target("demo0", name="slow"))
    assert before() == "demo0"  # as it was started
    assert main(["clean", "iter=demo1", "as=slow", "--yes"]) == 0
    assert before() == "demo0@slow"


def test_other_data_of_a_named_run_stays_said_for_the_one_before_it(place):
    finish(Target("demo0", overrides=("train_reranker.rate=0.5",)))
    write_settings_of(Target("demo1", name="half", overrides=("prepare.held_out=0.5",)))
    [(run, settings)] = resolve(Target("demo0", name="half"))
    assert str(run) == "runs/demo0@half/cv"
    assert (settings.prepare.held_out, settings.train_reranker.rate) == (0.5, 0.5)


def test_the_same_output_has_the_same_fingerprint_in_every_run_of_an_iteration(place):
    assert plain_path("runs/demo0@slow/cv/prepare") == "runs/demo0/cv/prepare"
    assert plain_path("runs/demo0/cv/prepare") == "runs/demo0/cv/prepare"
    assert plain_path("competition") == "competition"


def test_an_output_whose_bytes_changed_is_not_linked(place, capsys):
    finish(Target("demo0"))
    with replacing(PLAIN / "audit/x") as partial:
        partial.write_text("1", encoding="utf-8")
    assert main(["train", "iter=demo0", "as=slow"]) == 2
    assert "runs/demo0/cv/audit/x differs" in capsys.readouterr().err
    assert not (SLOW / "audit").exists()


def test_nothing_is_linked_while_another_process_works_there(place):
    finish(Target("demo0"))
    step = survey(resolve(Target("demo0")))[0]
    recipe = recipe_of(step.stage, SLOW, step.settings)
    with locked(PLAIN / ".prepare.lock", "held"):
        assert share(SLOW, step.settings, recipe) is None
    assert share(SLOW, step.settings, recipe) == PLAIN / "prepare"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "iter=demo0", "as=Slow run"], "as=Slow run: a name is made of small letters, digits and dashes"),
        (["train", "iter=demo0", "as="], "as=: a name is made of"),
        (["plan", "iter=demo0@a", "as=b"], "iter=demo0@a and as=b: say one name"),
        (["report", "iter=demo0", "as=slwo"], "demo0 has no run as=slwo; there are: slow; did you mean slow?"),
        (["clean", "iter=demo1", "as=slow"], "demo1 has no run as=slow; there is none with a name; `just train"),
        (["compare", "a=demo0", "b=demo0@fast"], "demo0 has no run as=fast; there are: slow"),
    ],
)
def test_a_name_that_there_is_not_is_refused_with_the_nearest(place, capsys, words, sentence):
    write_settings_of(Target("demo0", name="slow"))
    assert main(words) == 2
    assert sentence in capsys.readouterr().err
