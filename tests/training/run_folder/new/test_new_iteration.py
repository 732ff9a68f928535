"""Guards new_iteration.py: a copy trains as it is, at its own place in the chain, and nothing half-written is left."""

from pathlib import Path
from shutil import copytree

import pytest

from shared.settings.load import ITERATIONS, load_settings
from training.cli import main
from training.pipeline.chain import resolve
from training.run_folder.names import Target

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    copytree(ROOT / ITERATIONS, tmp_path / ITERATIONS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "name", "previous"),
    [
        (["iter=2", "from=1"], "iter2", "iter1"),  # counts one further
        (["iter=mine1", "from=demo1"], "mine1", "demo0"),  # stands beside its source
        (["iter=3", "from=1"], "iter3", "iter0"),
        (["iter=mine1", "from=demo1", "previous=small0"], "mine1", "small0"),
        (["iter=demo5", "from=demo0"], "demo5", ""),  # a first one stays a first one
        (["iter=map1", "from=map0"], "map1", ""),
    ],
)
def test_a_copy_has_its_place_and_the_settings_of_its_source(words, name, previous, capsys):
    assert main(["new", *words]) == 0
    said = capsys.readouterr().out
    source = words[1].partition("=")[2].replace("1", "iter1") if words[1] == "from=1" else words[1].partition("=")[2]
    made, copied = load_settings(name), load_settings(source)
    assert made.iteration.previous == previous
    assert made.model_copy(update={"iteration": copied.iteration}) == copied
    first = (ITERATIONS / name / "params.toml").read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# {name}, {f'after {previous}' if previous else 'a first iteration'}, made from {source}: " + (
        "say here what it tries."
    )
    assert first.removeprefix("# ") in said and f"`just plan {words[0]}`" in said


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / ITERATIONS).iterdir() if path.is_dir()))
def test_every_iteration_can_be_copied_by_hand_too_and_leaves_the_others_sound(name):
    copytree(ITERATIONS / name, ITERATIONS / "copied")
    assert [run.parent.name for run, _ in resolve(Target("copied"))][-1] == "copied"
    assert resolve(Target("demo1"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["iter=2"], "say the new iteration and the one that is copied: iter=2 from=1"),
        (["iter=1", "from=0"], "training/iterations/iter1 is there already: take another name"),
        (["iter=2", "from=9"], "there is no iteration 'iter9'"),
        (["iter=../x", "from=1"], "iter=../x: a name is made of small letters, digits and dashes"),
        (["iter=a@b", "from=1"], "iter=a@b: a name is made of"),
        (["iter=2", "from=1", "previous=smal0"], "there is no iteration 'smal0'; there are: "),
        (["iter=mine1", "from=demo0", "previous=small0"], "demo0 is a first iteration, with a [miner]"),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_sentence_and_leaves_nothing(words, sentence, capsys):
    before = sorted(ITERATIONS.iterdir())
    assert main(["new", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and sentence in said and said.count("\n") == 1
    assert sorted(ITERATIONS.iterdir()) == before


@pytest.mark.parametrize("previous", ["loop", "demo1"])
def test_an_iteration_that_leads_back_to_itself_is_refused_at_once(previous, capsys):
    assert main(["new", "iter=loop", "from=demo1"]) == 0
    params = ITERATIONS / "loop/params.toml"
    params.write_text(params.read_text(encoding="utf-8").replace('"demo0"', f'"{previous}"'), encoding="utf-8")
    other = ITERATIONS / "demo1/params.toml"
    other.write_text(other.read_text(encoding="utf-8").replace('"demo0"', '"loop"'), encoding="utf-8")
    capsys.readouterr()
    for command in ("plan", "train", "report", "dag"):
        assert main([command, "iter=loop"]) == 2
        assert capsys.readouterr().err == (
            "error: iteration.previous of loop leads back to loop: name an earlier iteration there\n"
        )


def test_a_previous_that_there_is_not_is_named(capsys):
    assert main(["new", "iter=lost", "from=demo1"]) == 0
    params = ITERATIONS / "lost/params.toml"
    params.write_text(params.read_text(encoding="utf-8").replace('"demo0"', '"demo00"'), encoding="utf-8")
    assert main(["plan", "iter=lost"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: iteration.previous of lost: there is no iteration 'demo00'; there are: ")
    assert said.endswith("did you mean demo0?\n")
