"""Makes two tiny iterations in a folder, stage by stage, and keeps what stood there before and after each stage."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from shared.settings.load import read_settings
from tests.soak.nursery import Ended, Errand, Nursery
from tests.tiny_models import make_llama
from training.pipeline.stages import stages_of
from training.synthesis.malrules.generate import write_competition

FIRST, SECOND = "soak0", "soak1"
PARAMS = """
[machine]
device = "cpu"
processes = 1
profile = "cpu"

[embedder]
base = "base"
dtype = "float32"
task = "Find it."
query_tokens = 60
passage_tokens = 20
example_query_tokens = 20
example_passage_tokens = 20

[reranker]
base = "base"
dtype = "float32"
query_tokens = 60
passage_tokens = 20
instruction = "Yes or No?"

[prepare]
competition = "competition"

[mine_for_embedder]
engine = "hf"
highest = 40
count = 6

[train_embedder]
micro_tokens = 1024
epochs = 2
batch = 32
group = 3
max_examples = 1
checkpoint_seconds = 0.0
lora = {rank = 4}
DISTILL

[merge_embedder]
epoch = 2

[mine_for_reranker]
engine = "hf"
highest = 40
count = 6

[train_reranker]
micro_tokens = 1024
epochs = 2
batch = 32
group = 3
depth = 4
checkpoint_seconds = 0.0
lora = {rank = 4}
DISTILL

[merge_reranker]
epoch = 2

[evaluate]
engine = "hf"
depth = 5
extra = 0
"""
FIRST_ONLY = '[miner]\nbase = "base"\ndtype = "float32"\nquery_tokens = 60\npassage_tokens = 20\n'
SECOND_ONLY = f'[iteration]\nprevious = "{FIRST}"\n[teach_embedder]\nengine = "hf"\n[teach_reranker]\nengine = "hf"\n'


@dataclass(frozen=True)
class Step:
    """A command of the undisturbed run: what stood before it, which folders it fills, and what it then holds."""

    name: str
    words: tuple[str, ...]
    before: Path  # a copy of the whole folder
    out: str  # what it makes, in the folder
    made: dict[str, str]  # {path in out: SHA-256}
    steps: tuple[tuple[int, int, str], ...]  # of the shim


def make_steps(nursery: Nursery, folder: Path, last: str = "") -> list[Step]:
    """Make both iterations and a submission in `folder`/whole, undisturbed, up to the command `last`, as steps."""
    shutil.rmtree(folder, ignore_errors=True)
    whole = folder / "whole"
    _lay_out(whole)
    _must(nursery.run(Errand(("training", "settings", f"iter={SECOND}"), str(whole))))
    steps = []
    for name, words, out in _commands(whole):
        before = folder / "before" / name
        shutil.copytree(whole, before)
        ended = _must(nursery.run(Errand(words, str(whole))))
        steps.append(Step(name, words, before, out, hashes(whole / out), ended.steps))
        if name == last:
            break
    return steps


def hashes(folder: Path) -> dict[str, str]:
    """{path: SHA-256} of the files in `folder` that do not tell of the time: manifests and logs do."""
    files = [folder] if folder.is_file() else [path for path in sorted(folder.rglob("*")) if path.is_file()]
    told = ("manifest.json", ".verified.json", "budget.json", "timings.json")
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name not in told
    }


def _commands(place: Path) -> list[tuple[str, tuple[str, ...], str]]:
    found = []
    for run in (f"runs/{FIRST}/cv", f"runs/{SECOND}/cv"):
        for stage in stages_of("cv", read_settings(place / run)):
            words = ("training", stage.name.replace("_", "-"), run)
            found.append((f"{run.split('/')[1]}_{stage.name}", words, f"{run}/{stage.name}"))
    models = (f"--{role}=runs/{SECOND}/cv/merge_{role}" for role in ("embedder", "reranker"))
    more = ("--competition=competition", "--out=out/submission.csv", "--vectors=vectors")
    words = ("inference", "predict", "--profile=cpu", "--engine=hf", *models, *more)
    return [*found, ("predict", words, "out")]


def _lay_out(folder: Path) -> None:
    folder.mkdir(parents=True)
    make_llama(folder / "base")
    write_competition(folder / "competition", questions=40, test_questions=4)
    for name, own, distill in ((FIRST, FIRST_ONLY, ""), (SECOND, SECOND_ONLY, "distill = 1.0")):
        place = folder / "training/iterations" / name
        place.mkdir(parents=True)
        (place / "params.toml").write_text(own + PARAMS.replace("DISTILL", distill), encoding="utf-8")


def _must(ended: Ended) -> Ended:
    if ended.status:
        raise ValueError(f"the undisturbed run ended with status {ended.status}: {ended.err[-2000:]}")
    return ended
