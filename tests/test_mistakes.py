"""Guards what a person is told after a plausible mistake: one sentence with the way out, the status, no traceback.

`python -m tests.test_mistakes` prints them all, with the sentence and status of each.
"""

import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import polars as pl
import pytest

import inference.cli
import kaggle_kernels.cli
import training.cli
from kaggle_kernels.api.retries import Clock
from shared.artifacts.card import EmbedderCard, RerankerCard, write_card
from shared.artifacts.locks import locked
from shared.artifacts.manifest import write_manifest
from shared.prompts.embedder import EmbedderPrompt
from shared.prompts.pointwise import RerankerPrompt
from shared.settings.load import ITERATIONS, load_settings, write_settings
from shared.task.tables import TEXTS
from training.pipeline.recipe import recipe_of
from training.pipeline.stages import stages_of
from training.synthesis.malrules.generate import write_competition

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    "training": training.cli.main,
    "inference": inference.cli.main,
    "kaggle": partial(kaggle_kernels.cli.main, clock=Clock()),
}
PREDICT = [
    *("predict", "--profile", "cpu", "--competition", "data/demo", "--out", "s.csv"),
    *("--embedder", "embedder", "--reranker", "reranker"),
]
TRAIN = ("train", "iter=demo1")  # never trained here
MISTAKES = [  # program, words, what the sentence says
    ("training", [], "say what to do; python -m training --help lists the commands"),
    ("training", ["trian", "iter=1"], "'trian' is no command; did you mean train?"),
    ("training", ["train"], "say which iteration: iter=1"),
    ("training", ["train", "iter=9"], "there is no iteration 'iter9'; there are: broken, busy, cranfield0, demo0"),
    ("training", ["train", "1"], "'1' is none of iter=..., split=..., as=..., nodes=..., rendezvous=..., on=..., "),
    ("training", ["train", "iter=demo0", "iter=demo1"], "iter=demo0 and iter=demo1: say it once"),
    ("training", [*TRAIN, "split=cv9"], "split=cv9: there are cv, cv2, cv3, cv4, questions, full; did you mean cv"),
    ("training", [*TRAIN, "spilt=cv"], "'spilt=cv' is none of iter=..., split=..., as=..."),
    ("training", [*TRAIN, "rate=1e-4"], "'rate=1e-4' is none of iter=..."),
    ("training", [*TRAIN, "train_reranker.rat=1e-4"], "did you mean train_reranker.rate?"),
    ("training", [*TRAIN, "train_rerankr.rate=1e-4"], "did you mean train_reranker.rate?"),
    (
        "training",
        [*TRAIN, "train_reranker.rate=fast"],
        "train_reranker.rate: Input should be a valid number, got",
    ),
    ("training", [*TRAIN, "train_reranker.rate=0"], "train_reranker.rate: Input should be greater than 0, got '0'"),
    ("training", [*TRAIN, "train_reranker.rate"], "'train_reranker.rate' is none of iter=..."),
    (
        "training",
        [*TRAIN, "reranker.kind=listed", "reranker.template=pair"],
        "reranker.kind: listed reads lists, and a base of template=pair reads two texts: say kind=pointwise",
    ),
    ("training", [*TRAIN, "merge_embedder.epoch=9"], "merge_embedder.epoch: 9 is never trained"),
    ("training", [*TRAIN, "train_reranker.group=99"], "train_reranker.group: 99 needs 98 negatives"),
    ("training", ["plan", "iter=demo0", "train_embedder.distill=1"], "train_embedder.distill: 1.0 needs a teacher"),
    ("training", [*TRAIN, "iteration.previous=iter0"], "an iteration's place stands in its params.toml"),
    ("training", [*TRAIN, "prepare.competition=data/nowhere"], "data/nowhere/train.csv does not exist: `just data`"),
    ("training", ["check-data", "path=data/broken"], "data/broken/train.csv"),
    ("training", ["train", "iter=iter0"], "data/eedi/train.csv does not exist: `just data` downloads the competition"),
    ("training", [*TRAIN, "machine.profile=h200"], "machine.device is cpu, and machine.profile h200 is for another"),
    (
        "training",
        [*TRAIN, "machine.device=cuda", "machine.profile=h200", "machine.processes=99"],
        "machine asks for 99 GPUs and",
    ),
    ("training", [*TRAIN, "machine.profile=h20"], "there is no profile 'h20' in profiles.toml; there are: cpu"),
    (
        "training",
        [*TRAIN, "embedder.base=models/nobody"],
        "embedder.base=models/nobody is not there, and is no name",
    ),
    ("training", [*TRAIN, "embedder.base=data"], "holds no config.json, so it is no model: fetch or make"),
    ("training", [*TRAIN, 'merge_reranker.average=["cv2"]'], "holds out data that cv2 was trained on"),
    ("training", [*TRAIN, "explain.writer=replay"], "explain.writer"),
    ("training", [*TRAIN, "explain.shots=2"], "explain.shots: 2 and explain.shots_file '': say both or none"),
    ("training", [*TRAIN, "explain.shots=2", "explain.shots_file=a.csv"], "are shown to a model that writes as it is"),
    (
        "training",
        ["export-texts", "iter=demo1"],
        "runs/demo1/cv has no texts: explain.writer and describe.writer are off",
    ),
    (
        "training",
        ["export-texts", "iter=busy", "split=cv2"],
        "runs/busy/cv2/explain: the writers of 1 of 1 text saw solved examples of split cv2, and another split",
    ),
    (
        "training",
        ["train", "iter=demo0", "as=Slow one"],
        "as=Slow one: a name is made of small letters, digits",
    ),
    ("training", ["report", "iter=demo0", "as=slow"], "demo0 has no run as=slow; there is none with a name"),
    (
        "training",
        ["train", "iter=demo0", "evaluate.depth=5"],
        "runs/demo0/cv is evaluated, and evaluate.depth: 10 -> 5",
    ),
    ("training", ["train", "iter=loop"], "iteration.previous of loop leads back to loop"),
    ("training", ["train", "iter=broken"], "training/iterations/broken/params.toml: Expected"),
    (
        "training",
        ["train", "iter=busy"],
        "another command trains runs/busy/cv; wait for it or stop it (held by",
    ),
    ("training", ["new", "iter=2"], "say the new iteration and the one that is copied: iter=2 from=1"),
    ("training", ["new", "iter=1", "from=0"], "training/iterations/iter1 is there already: take another name"),
    ("training", ["clean", "iter=demo1"], "runs/demo1/cv does not exist: there is nothing to delete"),
    ("training", ["clean", "iter=demo0"], "nobody can be asked whether runs/demo0/cv may go: add --yes"),
    ("training", ["clean", "iter=demo0", "stage=evalute"], "did you mean evaluate?"),
    ("training", ["compare", "a=demo0"], "say a=RUN b=RUN"),
    ("training", ["compare", "a=demo0", "b=runs/demo1/cv"], "give two folders like runs/iter1/cv, or two iterations"),
    ("training", ["compare", "a=demo0", "b=demo1"], "no draw is evaluated in both; `just cv iter=N` evaluates all"),
    ("training", ["report", "iter=demo1", "split=cv2"], "no finished stage in runs/demo0/cv2, runs/demo1/cv2"),
    ("training", ["lb", "iter=demo0"], "say which iteration and its score: iter=1 public=0.505"),
    ("training", ["lb", "iter=demo0", "public=51"], "public=51: a score is a number from 0 to 1, as 0.505"),
    ("training", ["calibrate", "iter=demo1"], "calibrate needs two evaluated draws of cv, cv2, cv3, cv4"),
    (
        "training",
        ["quantize", "iter=demo0", "scheme=int4", "--check"],
        "quantize.scheme: Input should be 'awq', 'gptq'",
    ),
    ("training", ["quantize", "iter=demo1", "--check"], "runs/demo1/cv/settings.json does not exist"),
    ("training", ["demo", "questions=many"], "questions=many: say a number, at least 40"),
    ("training", ["demo", "questions=60"], "the demo was run with 40 questions, and questions=60 would replace"),
    ("training", ["doctor", "profile=gpu24"], "say which iteration: iter=1, or iter=small1"),
    ("training", ["doctor", "iter=iter0", "profile=gpu42"], "there is no profile 'gpu42' in profiles.toml; there are"),
    ("training", ["doctor", "iter=demo0"], "profile cpu_bf16 is of no GPU whose memory is known: say profile=NAME"),
    (
        "training",
        ["doctor", "iter=iter14b-24gb", "profile=t4x2"],
        "train_embedder.micro_tokens=12288 do not fit: Qwen/Qwen2.5-14B-Instruct in 4 bits takes 11.5 GiB",
    ),
    ("training", ["prepare", "demo0"], "'demo0' is no run folder like runs/iter1/cv"),
    ("inference", [*PREDICT, "--profile", "h20"], "there is no profile 'h20' in profiles.toml; there are: cpu"),
    ("inference", [*PREDICT, "--profile", "h200"], "--profile h200: it wants 1 GPU and none is there"),
    ("inference", [*PREDICT, "--profile", "t4x2"], "--profile t4x2: it wants 2 GPUs and none is there"),
    (
        "inference",
        [*PREDICT, "--out", "data"],
        "--out data is a folder: name the file, as in --out data/s",
    ),
    ("inference", [*PREDICT, "--out", "/dev/null/s.csv"], "--out /dev/null/s.csv: /dev/null is a file"),
    ("inference", [*PREDICT, "--competition", "dat"], "--competition dat: dat/test.csv does not exist"),
    ("inference", [*PREDICT, "--embedder", "nobody"], "nobody/card.json does not exist: nobody is no merged embedder"),
    ("inference", [*PREDICT, "--embedder", "reranker"], "reranker holds the reranker, where the embedder is wanted"),
    ("inference", [*PREDICT, "--cascade", "8"], "--cascade '8' is for 1 rerankers behind the first, and there are 0"),
    ("inference", [*PREDICT, "--reranker", "reranker", "--cascade", "x"], "--cascade: 'x' is no depth such as 8, nor"),
    ("inference", [*PREDICT, "--reranker", "reranker=0"], "'reranker=0': '0' is no weight above 0"),
    ("inference", [*PREDICT, "--limit-seconds", "60"], "--margin-seconds 300 is not between 0 and --limit-seconds, 60"),
    ("inference", [*PREDICT, "--depth", "0"], "depth is 0: rerank at least 1 candidate"),
    ("inference", [*PREDICT, "--question", "1 + 1?"], "say all of --question, --correct and --wrong"),
    ("inference", [*PREDICT, "--engine", "vlm"], "Invalid value for '--engine': 'vlm' is none of hf, vllm"),
    ("kaggle", ["push-modles", "iter=1"], "did you mean push-models?"),
    ("kaggle", ["push-models"], "iter=1"),
    (
        "kaggle",
        ["push-models", "iter=demo1", "--dry-run"],
        "runs/demo1/full/merge_embedder is not there, or",
    ),
    ("kaggle", ["push-models", "iter=1", "vectors"], "'vectors' is none of"),
]
STATUS = {"training": 2, "inference": 2, "kaggle": 1}


def make_place(place: Path) -> None:
    """What a person may have in a checkout: data, an evaluated run, models, iterations of which some are broken."""
    copytree(ROOT / ITERATIONS, place / ITERATIONS)
    for name, old, new in (("loop", '"demo0"', '"loop"'), ("broken", "[iteration]", "[iteration"), ("busy", "x", "x")):
        text = (ROOT / ITERATIONS / "demo1/params.toml").read_text(encoding="utf-8").replace(old, new)
        (place / ITERATIONS / name).mkdir()
        (place / ITERATIONS / name / "params.toml").write_text(text, encoding="utf-8")
    write_competition(place / "data/demo", questions=40, test_questions=4)
    copytree(place / "data/demo", place / "data/broken")
    with (place / "data/broken/train.csv").open("a", encoding="utf-8") as file:
        file.write('1,"not closed\n')
    cards = {
        "embedder": EmbedderCard("last", EmbedderPrompt("Find it.", 60, 20, 20, 20)),
        "reranker": RerankerCard(RerankerPrompt(60, 20, "Yes or No?")),
    }
    for role, card in cards.items():
        (place / role).mkdir()
        write_card(card, place / role)


def finish_run() -> None:
    """runs/demo0/cv, where every stage is done, with something else inside."""
    run, settings = Path("runs/demo0/cv"), load_settings("demo0")
    write_settings(settings, run)
    for stage in stages_of("cv", settings):
        recipe = recipe_of(stage, run, settings)
        (run / stage.name).mkdir()
        (run / stage.name / "x").write_text("x", encoding="utf-8")
        lineage = {"fingerprint": recipe.fingerprint, "inputs": recipe.inputs, "settings": recipe.settings}
        write_manifest(run / stage.name, {**lineage, "seconds": 1.0})


def write_about_a_row() -> None:
    """runs/busy/cv2/explain, a text whose writer was shown the row 2_A with its answer."""
    row = ("short", "1_A", "x", "x", 1, "stop", "", "writer", "", "", "", 0, False, "2_A", "train", 1.0)
    folder = Path("runs/busy/cv2/explain")
    TEXTS.write(pl.DataFrame([row], schema=TEXTS.schema, orient="row"), folder)
    write_manifest(folder, {})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    place, before = tmp_path_factory.mktemp("checkout"), Path.cwd()
    make_place(place)
    os.chdir(place)
    finish_run()
    write_about_a_row()
    os.chdir(before)
    return place


@pytest.fixture
def place(made, monkeypatch) -> Path:
    from inference.machine import hardware

    monkeypatch.chdir(made)
    monkeypatch.setattr(hardware, "_gpus", lambda: ())
    monkeypatch.setattr("sys.stdin", StringIO())
    return made


def tell(program: str, words: list[str]) -> tuple[int, str, str]:
    """(status, standard output, standard error) of a command."""
    out, error = StringIO(), StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(error),
        locked(Path("runs/busy/cv/.train.lock"), "held"),
    ):
        status = PROGRAMS[program](words)
    return status, out.getvalue(), error.getvalue()


def files(place: Path) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file() and "lock" not in path.name
    }


@pytest.mark.parametrize(("program", "words", "sentence"), MISTAKES, ids=[" ".join(one[1])[-40:] for one in MISTAKES])
def test_a_mistake_is_one_sentence_and_a_status_and_writes_nothing(place, program, words, sentence):
    before = files(place)
    status, _, error = tell(program, words)
    said = error.rstrip().splitlines()[-1]
    assert sentence in said and status == STATUS[program]
    assert "Traceback" not in error and len(said) < 700
    assert program == "inference" or len(error.rstrip().splitlines()) == 1  # typer adds how a command is used
    assert files(place) == before


def test_there_are_many_mistakes():
    assert len(MISTAKES) > 60


def main() -> None:
    """Print every mistake with its status and sentence."""
    with TemporaryDirectory() as folder:
        make_place(Path(folder))
        os.chdir(folder)
        finish_run()
        write_about_a_row()
        for program, words, _ in MISTAKES:
            status, _, error = tell(program, words)
            print(f"{program} {' '.join(words)}\n  {status}  {error.rstrip().splitlines()[-1]}")


if __name__ == "__main__":
    sys.stdin = StringIO()
    main()
