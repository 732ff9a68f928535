"""Guards train_teachers and teach_reranker with tiny models: who scores what, and going on after a kill."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from inference.engines.serving import Serving
from inference.machine.profiles import load_profile
from shared.artifacts.manifest import write_manifest
from shared.settings.load import load_settings, read_settings
from shared.task.tables import CANDIDATES, GROUPS, LESSONS, MISCONCEPTIONS, PAIR, QUERIES, TAUGHT
from training.cli import main
from training.evaluation.leak_audit import _teacher_findings, hold_out
from training.export.merge_models import merge_teacher
from training.mining.groups import make_groups
from training.pipeline.chain import resolve
from training.pipeline.inputs import inputs_of
from training.pipeline.recipe import recipe_of
from training.pipeline.stages import STAGES, stages_of
from training.run_folder.names import Target
from training.run_folder.stage_context import StageContext
from training.run_folder.teachers import PARTS, teachers_of
from training.synthesis.malrules.generate import write_competition
from training.teaching import train_teachers as stage
from training.teaching.teacher_scores import score_groups

RUN = Path("runs/demo0/cv")
TEACHERS = ["train_teachers.parts=2", "teach_reranker.teacher=own_parts", "train_reranker.distill=1"]
SAID = [
    *("machine.profile=cpu", "machine.processes=1", "reranker.dtype=float32", 'reranker.instruction="Yes or No?"'),
    *("mine_for_reranker.count=4", "train_reranker.group=3", "train_reranker.rate=0.01", "train_reranker.batch=16"),
    *("train_reranker.lora.rank=2", "train_reranker.checkpoint_seconds=0", "teach_reranker.engine=hf"),
    *TEACHERS,
]


@pytest.fixture
def place(place, tiny_causal) -> Path:
    """A folder with a run of demo0, as far as what was mined for the reranker."""
    write_competition(place / "data/demo", questions=40, test_questions=4)
    assert main(["settings", "iter=demo0", f"reranker.base={tiny_causal}", *SAID]) == 0
    assert main(["prepare", str(RUN)]) == 0
    queries, misconceptions = QUERIES.read(RUN / "prepare"), MISCONCEPTIONS.read(RUN / "prepare")
    labelled, ids = queries.drop_nulls("misconception_id"), misconceptions["misconception_id"].to_list()
    ranking = [
        (query, ids[(rank * 7 + place) % len(ids)], rank + 1, 1 / (rank + 1))
        for place, query in enumerate(labelled["query_id"])
        for rank in range(len(ids))
    ]
    found = pl.DataFrame(ranking, schema=CANDIDATES.schema, orient="row").unique(PAIR, keep="first")
    found = found.with_columns(pl.col("rank").rank("ordinal").over("query_id").cast(pl.Int64)).sort("query_id", "rank")
    mined = RUN / "mine_for_reranker"
    CANDIDATES.write(found, mined)
    GROUPS.write(make_groups(found, labelled, misconceptions, read_settings(RUN).mine_for_reranker), mined)
    write_manifest(mined, {"stage": "mine_for_reranker", "inputs": {}})
    return place


def adapters() -> dict[str, bytes]:
    files = (RUN / "train_teachers").glob("part_*/epoch_*/adapter_model.safetensors")
    return {str(path.relative_to(RUN)): path.read_bytes() for path in files}


def test_each_row_is_scored_by_the_teacher_that_has_not_learnt_its_answer(place, capsys):
    assert main(["train_teachers", str(RUN)]) == main(["teach_reranker", str(RUN)]) == 0
    assert "the teacher gives the right answers 0." in capsys.readouterr().out
    parts, lessons = PARTS.read(RUN / "train_teachers"), LESSONS.read(RUN / "train_teachers")
    groups, taught = GROUPS.read(RUN / "mine_for_reranker"), TAUGHT.read(RUN / "teach_reranker")
    assert set(parts["query_id"]) == set(groups["query_id"]) and set(parts["part"]) == {0, 1}
    assert taught.drop("teacher_score").equals(groups)
    queries, misconceptions = QUERIES.read(RUN / "prepare"), MISCONCEPTIONS.read(RUN / "prepare")
    context = StageContext(read_settings(RUN), RUN, place / "merged", "")
    serving = Serving("hf", load_profile("cpu"))
    findings = list(_teacher_findings(context, "reranker", hold_out(queries, misconceptions, set(), 0.75)))
    assert [finding.rule for finding in findings] == ["question", "misconception", "teacher"]
    assert findings[2].rows == len(groups) and not any(finding.broken for finding in findings)
    for part in (0, 1):
        own = parts.filter(part=part)["query_id"]
        learnt = lessons.filter(student=f"part_{part}")["query_id"]
        assert len(learnt) and set(learnt).isdisjoint(own)
        teachers, out = teachers_of(context, "own_parts"), place / f"merged_{part}"
        out.mkdir()
        merge_teacher(replace(context, settings=teachers.settings, out=out), teachers.adapter(part))
        alone = score_groups(queries, misconceptions, groups, out, serving)
        there = pl.col("query_id").is_in(own.implode())
        one, other = (table.filter(there)["teacher_score"].to_numpy() for table in (taught, alone))
        assert one == pytest.approx(other, abs=1e-5)
        rest = [table.filter(~there)["teacher_score"].to_numpy() for table in (taught, alone)]
        assert rest[0] != pytest.approx(rest[1], abs=1e-5)
    assert not (RUN / "teach_reranker/teacher").exists() and not (RUN / ".train_teachers.state").exists()
    capsys.readouterr()
    assert main(["train_teachers", str(RUN)]) == 0
    assert capsys.readouterr().out == "train_teachers  up to date\n"


class Killed(BaseException):
    """Not an Exception: nobody may catch it."""


def test_teachers_that_were_killed_go_on_in_the_one_that_they_were_at_and_end_alike(place, monkeypatch):
    assert main(["train_teachers", str(RUN)]) == 0
    whole, train, begun = adapters(), stage.train_reranker, []

    def killed(context, *arguments, **options):
        begun.append(context.out.name)
        if len(begun) == 2:
            raise Killed
        train(context, *arguments, **options)

    assert main(["clean", "iter=demo0", "stage=train_teachers", "--yes"]) == 0
    monkeypatch.setattr(stage, "train_reranker", killed)
    with pytest.raises(Killed):
        main(["train_teachers", str(RUN)])
    monkeypatch.setattr(stage, "train_reranker", train)
    first = RUN / ".train_teachers.partial/part_0/epoch_2/adapter_model.safetensors"
    made = first.stat().st_mtime_ns
    assert begun == ["part_0", "part_1"] and not (RUN / "train_teachers").exists()
    assert main(["train_teachers", str(RUN)]) == 0
    assert adapters() == whole and len(whole) == 4
    assert (RUN / "train_teachers/part_0/epoch_2/adapter_model.safetensors").stat().st_mtime_ns == made


def test_how_the_student_is_taught_decides_nothing_of_its_teachers():
    def fingerprint(*more):
        settings = load_settings("demo1", ["train_teachers.parts=2", *more])
        run, train = Path("runs/demo1/cv"), STAGES["train_teachers"]
        ahead = dict.fromkeys(inputs_of(train, run, settings), "1")
        return recipe_of(train, run, settings, ahead).fingerprint

    assert (
        fingerprint() == fingerprint("train_reranker.distill=0") == fingerprint("train_reranker.distill_loss=ranknet")
    )
    assert fingerprint() == fingerprint("train_reranker.label_weight=0.5")
    assert len({fingerprint(), fingerprint("train_reranker.rate=1e-4"), fingerprint("train_teachers.epochs=1")}) == 3


def test_the_stages_and_what_they_read_follow_the_teacher(place):
    parts, before = Path("runs/demo1/cv"), Path("runs/demo0/cv")
    first = load_settings("demo0", TEACHERS)
    names = [one.name for one in stages_of("cv", first)]
    assert "teach_embedder" not in names and names.index("train_teachers") + 1 == names.index("teach_reranker")
    assert before / "train_teachers" in inputs_of(STAGES["teach_reranker"], before, first)
    assert before / "teach_reranker" in inputs_of(STAGES["train_reranker"], before, first)
    later = load_settings("demo1", ["teach_embedder.teacher=previous_parts", 'teach_reranker.further=["demo0@slow"]'])
    assert "train_teachers" not in [one.name for one in stages_of("cv", later)]
    reads = inputs_of(STAGES["teach_embedder"], parts, later)
    assert before / "train_teachers" in reads and before / "merge_reranker" not in reads
    reads = inputs_of(STAGES["teach_reranker"], parts, later)
    assert before / "merge_reranker" in reads and Path("runs/demo0@slow/cv/merge_reranker") in reads


@pytest.mark.parametrize(
    ("iteration", "overrides", "words"),
    [
        (
            "demo0",
            ["teach_reranker.teacher=own_parts"],
            "teach_reranker.teacher: own_parts needs some: say train_teach",
        ),
        ("demo0", ["teach_reranker.teacher=previous_parts"], "previous_parts needs iteration.previous, which is empty"),
        ("demo1", ["teach_embedder.teacher=own_parts"], "teach_embedder.teacher: .*'previous' or 'previous_parts'"),
        ("demo1", ['teach_embedder.further=["../x"]'], "teach_embedder.further: '../x' is no run of an iteration"),
    ],
)
def test_a_teacher_that_nobody_trains_is_refused(iteration, overrides, words, place):
    with pytest.raises(ValueError, match=words):
        load_settings(iteration, overrides)


def test_parts_that_the_iteration_before_does_not_train_are_refused_before_anything_runs(place):
    overrides = ("teach_reranker.teacher=previous_parts",)
    assert resolve(Target("demo1", "cv", overrides))  # demo0 was begun with parts
    Path("runs/demo0/cv/overrides.json").unlink()
    with pytest.raises(ValueError, match="teach_reranker.teacher is previous_parts, and demo0 trains none: say"):
        resolve(Target("demo1", "cv", overrides))
