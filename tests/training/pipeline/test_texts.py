"""Guards explain, describe and train_writer with a real model: who writes about what, once, and what makes it anew."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from shared.prompts.writer import PROMPTS, Sampling
from shared.settings.load import load_settings
from shared.task.tables import LESSONS, MISCONCEPTIONS, QUERIES, TEXTS
from training.cli import main
from training.evaluation.text_audit import find_labels_seen, find_own_lessons, find_own_shots
from training.pipeline.stages import stages_of
from training.synthesis.malrules.generate import write_competition

ROOT, RUN = Path(__file__).parents[3], Path("runs/demo0/cv")
WRITER = [
    "explain.writer=hf",
    "describe.writer=hf",
    "explain.kinds=short",
    "machine.profile=cpu",
    "machine.processes=1",
]
TARGETS = ", ".join(f'"{name}_proj"' for name in ("q", "k", "v", "o"))
STUDENT = [
    *("train_writer.file=teacher.csv", "train_writer.rate=0.02", "train_writer.epochs=2", "writer.dtype=float32"),
    f"train_writer.lora={{rank = 4, alpha = 8, targets = [{TARGETS}]}}",
]


@pytest.fixture
def place(place, monkeypatch, tiny_causal) -> Path:
    """A folder with a competition of twelve questions, in which a tiny model can write some tokens about each row."""
    for kind, prompt in PROMPTS.items():
        monkeypatch.setitem(
            PROMPTS, kind, replace(prompt, instruction="Say why.", text_tokens=90, sampling=Sampling(6))
        )
    write_competition(place / "data/demo", questions=40, test_questions=4)
    train = pl.read_csv(place / "data/demo/train.csv", infer_schema=False)
    train.head(12).write_csv(place / "data/demo/train.csv")
    assert main(["settings", "iter=demo0", *said(tiny_causal)]) == 0
    assert main(["prepare", str(RUN)]) == 0
    return place


def said(base: Path, *more: str) -> list[str]:
    return [f"writer.base={base}", *WRITER, *more]


def stored() -> list[dict]:
    lines = Path("runs/texts/texts.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line.split(" ", 1)[1]) for line in lines]


def written(stage: str) -> pl.DataFrame:
    return TEXTS.read(RUN / stage)


def test_a_model_explains_every_row_and_describes_every_name_once_for_all_runs(place, tiny_causal, capsys, monkeypatch):
    assert main(["explain", str(RUN)]) == main(["describe", str(RUN)]) == 0
    queries, misconceptions = QUERIES.read(RUN / "prepare"), MISCONCEPTIONS.read(RUN / "prepare")
    texts = written("explain")
    assert texts["key"].to_list() == queries["query_id"].to_list() and set(texts["fold"]) == {"train", "valid"}
    assert find_labels_seen(texts, set(queries["query_id"])) == [] and set(texts["model"]) == {tiny_causal.name}
    assert written("describe")["key"].to_list() == misconceptions["misconception_id"].cast(pl.String).to_list()
    before = stored()
    assert len({text["id"] for text in before}) == len(before)
    for split in ("cv2", "full"):  # other folds, and the same prompts: no label, no fold is in them
        assert main(["settings", "iter=demo0", f"split={split}", *said(tiny_causal)]) == 0
        for stage in ("prepare", "explain"):
            assert main([stage, f"runs/demo0/{split}"]) == 0
    assert stored() == before
    capsys.readouterr()
    monkeypatch.setitem(PROMPTS, "short", replace(PROMPTS["short"], cue="Because"))
    assert main(["plan", "iter=demo0", *said(tiny_causal)]) == 0
    assert "run   runs/demo0/cv/explain  prompts changed" in capsys.readouterr().out
    assert main(["explain", str(RUN)]) == 0
    new = stored()[len(before) :]
    assert stored()[: len(before)] == before and {text["key"] for text in new} == set(queries["query_id"])


def test_exported_texts_are_replayed_as_they_were_and_an_edit_is_read(place, tiny_causal, capsys):
    assert main(["export-texts", "iter=demo0"]) == 2
    assert "runs/demo0/cv has no texts: explain.writer and describe.writer are off" in capsys.readouterr().err
    assert main(["explain", str(RUN)]) == main(["describe", str(RUN)]) == 0
    before, columns = {stage: written(stage) for stage in ("explain", "describe")}, ["kind", "key", "clean", "model"]
    assert main(["export-texts", "iter=demo0", "to=data/demo"]) == 0
    assert f"data/demo/rationales.csv has {len(before['explain'])} texts" in capsys.readouterr().out
    replayed = ["explain.writer=replay", "describe.writer=replay", "explain.kinds=short"]
    assert main(["settings", "iter=demo0", *replayed]) == 0
    assert main(["explain", str(RUN)]) == main(["describe", str(RUN)]) == 0
    for stage, texts in before.items():
        assert written(stage).select(columns).equals(texts.select(columns))
    assert main(["export-texts", "iter=demo0", "to=data/demo"]) == 0  # of what was replayed: the same bytes
    path = Path("data/demo/rationales.csv")
    head, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines(keepends=True))
    key = rows[0][0]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, [key, "By hand", "", "me"], *rows[1:]])
    assert main(["explain", str(RUN)]) == 0
    now = written("explain").filter(pl.col("key") == key)
    assert now["clean"].to_list() == ["By hand"] and now["model"].to_list() == ["me"]
    assert main(["export-texts", "iter=demo0", "to=data/demo"]) == 0  # what was edited is what is there
    path.write_text("mine", encoding="utf-8")
    assert main(["export-texts", "iter=demo0", "to=data/demo"]) == 2
    assert "data/demo/rationales.csv is there and says something else" in capsys.readouterr().err


def test_solved_examples_are_training_rows_of_other_questions_and_are_written_down(
    place, tiny_causal, capsys, monkeypatch
):
    queries = QUERIES.read(RUN / "prepare")
    rows = [(key, f"Thinks of {key}.", "") for key in queries["query_id"]]  # also about held-out rows, which are left
    example = pl.DataFrame(rows, schema=["QuestionId_Answer", "Rationale", "Reasoning"], orient="row")
    shown = ["explain.shots=2", "explain.shots_file=shown.csv"]
    assert main(["plan", "iter=demo0", *said(tiny_causal, *shown)]) == 2
    assert "data/demo/shown.csv does not exist: name another explain.shots_file" in capsys.readouterr().err
    example.write_csv("data/demo/shown.csv")
    assert main(["explain", str(RUN)]) == 0
    without = written("explain")
    assert main(["settings", "iter=demo0", *said(tiny_causal, *shown)]) == 0
    assert main(["explain", str(RUN)]) == 0
    texts = written("explain")
    assert "explain.shots: 0 -> 2" in capsys.readouterr().out
    assert set(texts["prompt_digest"]).isdisjoint(without["prompt_digest"])
    fold = dict(queries.select("query_id", "fold").iter_rows())
    used = {shot for shots in texts["shots"] for shot in shots.split()}
    assert len(used) == 3 and {fold[shot] for shot in used} == {"train"}  # two for all rows, and one in place of either
    assert all(len(shots.split()) == 2 for shots in texts["shots"]) and not texts["saw_label"].any()
    assert find_own_shots(texts, queries) == []
    assert find_labels_seen(texts, set(queries.filter(pl.col("fold") == "valid")["query_id"])) == []
    kept = json.loads((RUN / "explain/shots.json").read_text(encoding="utf-8"))
    assert {shot["query_id"] for shot in kept["shots"]} == used
    assert all(shot["texts"] == {"short": f"Thinks of {shot['query_id']}."} for shot in kept["shots"])
    capsys.readouterr()
    monkeypatch.setitem(PROMPTS, "short", replace(PROMPTS["short"], instruction="Say why. " * 100))
    assert main(["explain", str(RUN)]) == 2
    assert "reads 1024: take another writer, or show it fewer explain.shots" in capsys.readouterr().err
    example.head(1).write_csv("data/demo/shown.csv")
    assert main(["explain", str(RUN)]) == 2
    assert "shown.csv: it has texts about" in capsys.readouterr().err


def test_students_write_about_what_they_did_not_learn_from_and_the_last_one_about_the_rest(place, tiny_causal, capsys):
    queries = QUERIES.read(RUN / "prepare")
    rows = [(key, f"Thinks of {key}.", "") for key in queries["query_id"]]
    teacher = pl.DataFrame(rows, schema=["QuestionId_Answer", "Rationale", "Reasoning"], orient="row")
    teacher.write_csv("data/demo/teacher.csv")
    assert main(["settings", "iter=demo0", *said(tiny_causal, *STUDENT)]) == 0
    assert main(["train_writer", str(RUN)]) == main(["explain", str(RUN)]) == 0
    lessons, texts = LESSONS.read(RUN / "train_writer"), written("explain")
    assert set(lessons["student"]) == {"part_0", "part_1", "whole"}
    train, valid = (queries.filter(pl.col("fold") == fold)["query_id"].to_list() for fold in ("train", "valid"))
    learnt = {student: set(part["query_id"]) for (student,), part in lessons.group_by("student")}
    assert learnt["whole"] == set(train) == learnt["part_0"] | learnt["part_1"]
    assert texts["key"].to_list() == queries["query_id"].to_list()
    by = {key: model.rpartition("/")[2] for key, model in texts.select("key", "model").iter_rows()}
    assert all(by[key] == "whole" for key in valid)
    assert all(key not in learnt[by[key]] and by[key] != "whole" for key in train)
    assert find_own_lessons(texts, lessons, queries) == []
    swapped = texts.with_columns(pl.col("model").str.replace_many({"part_0": "part_1", "part_1": "part_0"}))
    assert find_own_lessons(swapped, lessons, queries) == [f"short {key}" for key in by if key in train]
    assert find_own_lessons(texts.with_columns(model=pl.lit("another")), lessons, queries)
    assert not (RUN / ".train_writer.state").exists()
    capsys.readouterr()
    assert main(["train_writer", str(RUN)]) == 0
    assert capsys.readouterr().out == "train_writer  up to date\n"


def test_the_student_of_all_rows_is_merged_where_all_rows_train(place, tiny_causal, capsys):
    run = Path("runs/demo0/full")
    settings = said(tiny_causal, *STUDENT)
    assert main(["plan", "iter=demo0", *settings]) == 2
    assert "data/demo/teacher.csv does not exist: name another train_writer.file" in capsys.readouterr().err
    train = QUERIES.read(RUN / "prepare")
    rows = [(key, f"Thinks of {key}.", "") for key in train["query_id"]]
    pl.DataFrame(rows, schema=["QuestionId_Answer", "Rationale", "Reasoning"], orient="row").write_csv(
        "data/demo/teacher.csv"
    )
    assert main(["settings", "iter=demo0", "split=full", *settings]) == 0
    for stage in ("prepare", "train_writer", "merge_writer"):
        assert main([stage, str(run)]) == 0
    assert (run / "merge_writer/config.json").is_file() and not (run / "merge_writer/card.json").exists()
    names = {
        split: [stage.name for stage in stages_of(split, load_settings("demo0", settings))] for split in ("cv", "full")
    }
    assert "merge_writer" in names["full"] and "merge_writer" not in names["cv"]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (["explain.writer=hf"], "explain.writer: hf runs the model of [writer], and there is none"),
        (["describe.writer=vllm"], "describe.writer: vllm runs the model of [writer], and there is none"),
        (
            ["train_writer.file=x.csv"],
            "train_writer.file: x.csv is what a student learns from, and explain.writer is off",
        ),
    ],
)
def test_a_text_that_nobody_writes_is_one_sentence(place, capsys, override, sentence):
    assert main(["settings", "iter=demo1", *override]) == 2
    assert sentence in capsys.readouterr().err


def test_a_writer_that_is_too_short_for_its_prompts_is_named_before_anything_runs(
    place, capsys, monkeypatch, tiny_causal
):
    monkeypatch.setitem(PROMPTS, "cot", replace(PROMPTS["cot"], sampling=Sampling(1024)))
    (place / "base").symlink_to(tiny_causal)
    assert main(["settings", "iter=demo0", *said(Path("base"))]) == 0
    assert main(["explain", str(RUN)]) == 2
    assert (
        "tiny_causal0 reads 1024 tokens, and a text with its prompt may have 1153: take another writer"
        in capsys.readouterr().err
    )
