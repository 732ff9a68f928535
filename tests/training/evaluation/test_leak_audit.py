"""Guards leak_audit.py: a leak of every kind, planted by hand, is found, and a run without one passes."""

import json
from pathlib import Path

import polars as pl
import pytest

from inference.writing.replay import replay
from shared.artifacts.card import EmbedderCard, write_card
from shared.artifacts.manifest import digest, write_manifest
from shared.prompts.embedder import EmbedderPrompt, Example
from shared.prompts.query import row_text
from shared.settings.load import load_settings
from shared.task.tables import GROUPS, MISCONCEPTIONS, QUERIES, TAUGHT, TEXTS
from training.evaluation.leak_audit import ROWS, audit, find_leaks, hold_out
from training.run_folder.stage_context import StageContext
from training.trainer.batches import draw_examples

ROOT = Path(__file__).parents[3]
RATIONALES = "QuestionId_Answer,Rationale,Reasoning,Writer\n1_A,They add.,,{}\n"
INPUTS = {
    "mine_for_embedder": ["prepare"],
    "teach_embedder": ["prepare", "mine_for_embedder"],
    "train_embedder": ["prepare", "teach_embedder"],
    "merge_embedder": ["prepare", "train_embedder"],
    "mine_for_reranker": ["prepare", "merge_embedder"],
    "teach_reranker": ["prepare", "mine_for_reranker"],
}


@pytest.fixture
def make(tmp_path, monkeypatch, queries, misconceptions):
    """A function that writes what the audit of demo1 reads, changed as it is told, and audits it."""
    monkeypatch.chdir(ROOT)
    settings, replaying = load_settings("demo1"), load_settings("demo1", ["explain.writer=replay"])
    monkeypatch.chdir(tmp_path)

    def run(
        split="questions",
        *,
        folds=None,
        positive=None,
        negative=None,
        example=None,
        table="taught",
        lineage=None,
        writer="off",
    ):
        own = queries if folds is None else folds
        if split == "full":
            own = own.with_columns(fold=pl.lit("train"))
        said = settings if writer == "off" else replaying
        contexts = {
            name: StageContext(said, Path("runs", name, split), Path("audit"), "x") for name in ("demo0", "demo1")
        }
        before, after = contexts["demo0"].run, contexts["demo1"].run
        for run in (before, after):
            QUERIES.write(own, run / "prepare")
            MISCONCEPTIONS.write(misconceptions, run / "prepare")
            seal(run / "prepare", [])
        for name, inputs in (("audit", ["prepare"]), ("train_reranker", ["prepare", "audit"])):
            (before / name).mkdir(parents=True, exist_ok=True)
            (before / name / "x").write_text(name, encoding="utf-8")
            seal(before / name, [before / made for made in inputs])
        for model in ("embedder", "reranker"):
            groups = groups_of(queries, ["1_A", "4_B"] if split != "full" else ["1_A", "6_B"])
            spoilt = spoil(groups, positive, negative)
            mined = spoilt if table == "groups" else groups
            taught = (spoilt if table == "taught" else groups).with_columns(teacher_score=pl.lit(0.5, pl.Float32))
            GROUPS.write(mined, after / f"mine_for_{model}")
            TAUGHT.write(taught, after / f"teach_{model}")
        pool = draw_examples(own, misconceptions, "examples")
        for stage in ("train_embedder", "merge_embedder"):
            (after / stage).mkdir(exist_ok=True)
            examples = (*pool[:2], *([example] if example and example[0] == stage else []))
            card = EmbedderCard("last", EmbedderPrompt("t", 9, 9, 9, 9), tuple(one[-3:] for one in examples))
            write_card(card, after / stage)
        for stage, inputs in INPUTS.items():
            teachers = [before / "train_reranker"] if stage.startswith("teach") else []
            seal(after / stage, [*(after / name for name in inputs), *teachers])
        if lineage:
            lineage(before, after)
        if writer != "off":
            (after / "rationales.csv").write_text(RATIONALES.format(writer), encoding="utf-8")
            folds = dict(own.select("query_id", "fold").iter_rows())
            TEXTS.write(replay(after / "rationales.csv", ["short"], folds), after / "explain")
        out = Path("audit")
        out.mkdir(exist_ok=True)
        audit(contexts["demo1"])
        return json.loads((out / "audit.json").read_text(encoding="utf-8"))

    return run


def seal(folder: Path, inputs: list[Path]) -> None:
    write_manifest(folder, {"inputs": {str(path): digest(path) for path in inputs}})


def groups_of(queries: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Each query with its answer and one negative, 20."""
    answers = dict(queries.select("query_id", "misconception_id").iter_rows())
    rows = [(name, id_, None, None, id_ != 20) for name in names for id_ in (answers[name], 20)]
    return pl.DataFrame(rows, schema=GROUPS.schema, orient="row")


def spoil(groups, positive, negative):
    if positive:
        return pl.concat([groups, pl.DataFrame([(*positive, None, None, True)], schema=GROUPS.schema, orient="row")])
    return groups.with_columns(
        pl.when("is_positive").then("misconception_id").otherwise(negative or 20).alias("misconception_id")
    )


def test_a_run_without_leaks_passes_and_every_rule_is_counted(make):
    report = make()
    # prepare, two tables of each model, two cards: two rules each; negatives of four tables; lineage
    assert len(report) == 7 * 2 + 4 + 1 and not any(rule["violations"] for rule in report)
    rows = {(rule["rule"], rule["file"].rpartition("questions/")[2]): rule["rows"] for rule in report}
    assert rows["question", "prepare/queries.parquet"] == 9  # of the training fold, the unlabelled one too
    assert rows["negative", "teach_reranker/taught.parquet"] == 2
    assert rows["misconception", "train_embedder/card.json"] == 2


def test_a_file_of_texts_whose_writer_saw_rows_of_another_split_is_warned_of(make, capsys):
    make(writer="m")
    assert "WARNING" not in capsys.readouterr().out
    report = make(writer="m (saw solved examples of split cv)")
    assert (
        "WARNING: runs/demo1/questions/explain: the writers of 1 of 14 texts saw solved examples of split cv, as their "
        "names say, and what questions holds out may be among that\n"
    ) in capsys.readouterr().out
    assert not any(rule["violations"] for rule in report)


def test_a_full_run_has_nothing_to_hold_back_but_the_never_labelled(make):
    make("full")
    with pytest.raises(ValueError, match="1_A with 50 breaks the rule 'negative'"):
        make("full", negative=50)  # 50 is carried by nobody, as 983 of the real ones


@pytest.mark.parametrize("table", ["groups", "taught"])
def test_a_validation_question_among_mined_or_taught_rows_is_found(make, table):
    file = {"groups": "mine_for_embedder/groups", "taught": "teach_embedder/taught"}[table]
    with pytest.raises(ValueError, match=f"{file}.parquet, 6_A breaks the rule 'question'"):
        make(positive=("6_A", 30), table=table)


@pytest.mark.parametrize("table", ["groups", "taught"])
def test_a_held_out_misconception_as_an_answer_is_found(make, table):
    with pytest.raises(ValueError, match="2_A breaks the rule 'misconception'"):
        make(positive=("2_A", 41), table=table)


@pytest.mark.parametrize("table", ["groups", "taught"])
def test_a_held_out_or_never_labelled_misconception_as_a_negative_is_found(make, table):
    for id_ in (41, 50):
        with pytest.raises(ValueError, match=f"1_A with {id_} breaks the rule 'negative'"):
            make(negative=id_, table=table)


def test_an_answer_in_training_that_was_drawn_to_be_held_out_is_found(make, queries):
    # in "cv" a quarter of the ten carried ids is drawn, but the folds of these tables were made otherwise
    with pytest.raises(ValueError, match="prepare/queries.parquet, .* breaks the rule 'misconception'"):
        make("cv", folds=queries)


def test_a_text_near_a_validation_question_in_training_is_found(make, queries):
    text = pl.when(pl.col("question_id") == 5).then(pl.lit("![ $5 - 8$ =  ?]()")).otherwise("question")
    with pytest.raises(ValueError, match="prepare/queries.parquet, 5_A breaks the rule 'question'"):
        make(folds=queries.with_columns(text.alias("question")))


@pytest.mark.parametrize("stage", ["train_embedder", "merge_embedder"])
def test_a_validation_question_or_a_held_out_answer_among_the_examples_is_found(make, stage, queries):
    asked = row_text(queries.row(by_predicate=pl.col("query_id") == "6_A", named=True))
    fine = row_text(queries.row(by_predicate=pl.col("query_id") == "1_A", named=True))
    leaks = {
        "example 2 (question 6) breaks the rule 'question'": (6, 10, Example(fine, "Adds")),
        "example 2 (question 1) breaks the rule 'question'": (1, 10, Example(asked, "Adds")),  # under another's id
        "example 2 (question 1) breaks the rule 'misconception'": (1, 41, Example(fine, "Adds")),
        "example 2 (question 2) breaks the rule 'misconception'": (
            *(2, 10),
            Example(fine, "Misplaces the point of a product."[:-1].upper()),  # the words of 41
        ),
    }
    for sentence, example in leaks.items():
        with pytest.raises(ValueError, match="card.json") as error:
            make(example=(stage, *example))
        assert f"{stage}/card.json, {sentence}" in str(error.value)


def test_an_example_that_no_row_of_prepare_says_is_refused(make):
    with pytest.raises(ValueError, match=r"merge_embedder/card.json, example 2 \(question 1\) is the text of no"):
        make(example=("merge_embedder", 1, 10, Example("Question: 1 + 1", "Adds")))


def test_a_teacher_of_other_folds_or_unaudited_or_changed_since_is_found(make):
    def other_folds(before, after):
        (before / "prepare/queries.parquet").write_bytes(b"other")
        seal(before / "prepare", [])
        seal(before / "audit", [before / "prepare"])
        seal(before / "train_reranker", [before / "prepare", before / "audit"])
        seal(after / "teach_reranker", [after / "prepare", before / "train_reranker"])

    def unaudited(before, after):
        seal(before / "train_reranker", [before / "prepare"])

    def changed(before, after):
        (before / "train_reranker/x").write_text("another", encoding="utf-8")
        seal(before / "train_reranker", [before / "prepare", before / "audit"])

    def other_split(before, after):
        full = Path("runs/demo0/full/merge_reranker")
        full.mkdir(parents=True)
        (full / "x").write_text("x", encoding="utf-8")
        seal(full, [])
        seal(after / "teach_reranker", [after / "prepare", full])

    for plant, sentence in {
        other_folds: "made from other folds in runs/demo0/questions",
        unaudited: "runs/demo0/questions/train_reranker, which no audit preceded",
        changed: "made from a runs/demo0/questions/train_reranker that has changed since",
        other_split: "made from other folds in runs/demo0/full",
    }.items():
        with pytest.raises(ValueError, match=sentence):
            make(lineage=plant)


def test_averaged_adapters_of_other_splits_are_no_strangers_where_nothing_is_held_out(make):
    def averaged(before, after):
        other = after.parent / "cv" / "train_embedder"
        other.mkdir(parents=True, exist_ok=True)
        (other / "x").write_text("x", encoding="utf-8")
        seal(other, [])
        made = {str(path): digest(path) for path in (after / "prepare", after / "train_embedder", other)}
        write_manifest(after / "merge_embedder", {"inputs": made, "averaged": {str(other / "epoch_3"): "1234"}})
        seal(after / "mine_for_reranker", [after / "prepare", after / "merge_embedder"])
        seal(after / "teach_reranker", [after / "prepare", after / "mine_for_reranker", before / "train_reranker"])

    make("full", lineage=averaged)
    with pytest.raises(ValueError, match="merge_embedder, made from other folds in runs/demo1/cv"):
        make(lineage=averaged)


def test_averaging_an_epoch_of_its_own_does_not_excuse_a_training_that_has_changed_since(make):
    def averaged(before, after):
        own = after / "train_embedder"
        made = {str(after / "prepare"): digest(after / "prepare"), str(own): "0" * 64}
        write_manifest(after / "merge_embedder", {"inputs": made, "averaged": {str(own / "epoch_2"): "1234"}})
        seal(after / "mine_for_reranker", [after / "prepare", after / "merge_embedder"])
        seal(after / "teach_reranker", [after / "prepare", after / "mine_for_reranker", before / "train_reranker"])

    with pytest.raises(ValueError, match="merge_embedder, made from a runs/demo1/full/train_embedder that has changed"):
        make("full", lineage=averaged)


def test_rows_from_elsewhere_are_judged_by_question_and_misconception_alone(queries, misconceptions):
    held = hold_out(queries, misconceptions, {40, 41}, 0.75)
    assert held.misconception_ids == {40, 41, 42} and held.question_ids == {6, 7}
    rows = [
        ("a", None, "Another question?", 10, "Adds numerators and denominators"),
        ("b", None, "0.3 X 0.2 = ?", 10, None),  # question 7, written a little otherwise
        ("c", None, "Another question?", 41, None),
        ("d", None, "Another question?", None, "adds when it should subtract"),
        (
            "e",
            None,
            "Another question?",
            12,
            "Multiplies instead of adding",
        ),  # 42 has these words, 12 too: known
    ]
    found = find_leaks("synthetic", pl.DataFrame(rows, schema=ROWS, orient="row"), held)
    assert {finding.rule: finding.broken for finding in found} == {"question": ("b",), "misconception": ("c", "d")}
