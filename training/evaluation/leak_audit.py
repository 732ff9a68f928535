"""Looks for validation data in everything that training has read or made; one row of it fails the run.

    rule                      what breaks it
    question                  a validation question, by id, or one whose text is near it
    misconception             a held-out misconception as a right answer, by id or by its words
    negative                  a negative from outside of what mine.negatives says
    text                      a text as input whose writer saw a label, or examples of its question or of the valid fold
    student                   a text as input by a student that learnt from the question that it is about
    teacher                   scores by a teacher of parts that learnt from the row's question or its misconception
    lineage                   an input of another split, of other folds, unaudited, or changed since it was used

A held-out misconception stands for one that no row of train.csv carries. With mine.negatives "seen" neither is ever a
negative; with "catalogue" both are. They are treated alike, or the figures here would say nothing about the test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shared.artifacts.card import read_embedder_card
from shared.artifacts.files import write_json
from shared.artifacts.lineage import read_lineage
from shared.artifacts.manifest import digest, is_whole
from shared.counted import count
from shared.prompts.kinds import ROLES
from shared.prompts.query import row_text
from shared.task.folds import draw_misconceptions, labels_of, seen_ids
from shared.task.near_duplicates import near_pairs, words_of
from shared.task.splits import fold_seed, holds_out
from shared.task.tables import GROUPS, LESSONS, TAUGHT, TEXTS
from training.evaluation.teacher_audit import find_learnt_rows
from training.evaluation.text_audit import alarms, find_labels_seen, find_own_lessons, find_own_shots
from training.run_folder.freshness import COMPETITION, PROMPTS, REPLAYED, SHOTS
from training.run_folder.held_out import holds_out_misconceptions
from training.run_folder.seen_by_writers import seen_in_file
from training.run_folder.stage_context import StageContext
from training.run_folder.teachers import PARTS, teachers_of

ROWS = {  # what trains: `row` names it, `text` is its misconception's
    "row": pl.String,
    "question_id": pl.Int64,
    "question": pl.String,
    "misconception_id": pl.Int64,
    "text": pl.String,
}
MADE = (
    *("teach_embedder", "train_embedder", "merge_embedder"),
    *("mine_for_reranker", "train_teachers", "teach_reranker"),
)


@dataclass(frozen=True)
class HeldOut:
    """What training must not read: questions, and the misconceptions that only they carry."""

    question_ids: frozenset[int]
    questions: tuple[str, ...]
    misconception_ids: frozenset[int]
    texts: frozenset[tuple[str, ...]]  # the words of those misconceptions, unless a training row carries the same words
    similar: float  # prepare.similar


@dataclass(frozen=True)
class Finding:
    """How one rule was kept in one file: `broken` names the rows that did not keep it."""

    rule: str
    file: str
    rows: int
    broken: tuple[str, ...]


def audit(context: StageContext) -> None:
    """Write audit.json. Raises ValueError naming the first row, and its file, that breaks a rule."""
    findings = list(_findings(context))
    report = [{"rule": f.rule, "file": f.file, "rows": f.rows, "violations": len(f.broken)} for f in findings]
    write_json(context.out / "audit.json", report)
    for finding in findings:
        if finding.broken:
            raise ValueError(
                f"{finding.file}, {finding.broken[0]} breaks the rule {finding.rule!r}, and {len(finding.broken) - 1} "
                f"more rows of {finding.rows} do: `just clean` that stage and train again"
            )
    for sentence in [*alarms(*context.texts()), *_told(context)]:
        print(f"WARNING: {sentence}")
    print(f"{count(len(findings), 'rule')} kept by {count(sum(finding.rows for finding in findings), 'row')}")


def hold_out(queries: pl.DataFrame, misconceptions: pl.DataFrame, drawn: set[int], similar: float) -> HeldOut:
    """What the validation fold of `queries` keeps to itself; `drawn` are the misconceptions meant to be held out."""
    valid = queries.filter(pl.col("fold") == "valid")
    words = {id_: words_of(text) for id_, text in misconceptions.select("misconception_id", "text").iter_rows()}
    seen = seen_ids(queries)
    ids = drawn | set(labels_of(valid)["misconception_id"]) - seen
    texts = {words[id_] for id_ in ids} - {words[id_] for id_ in seen - drawn}
    questions = tuple(valid["question"].unique().sort())
    return HeldOut(frozenset(valid["question_id"]), questions, frozenset(ids), frozenset(texts), similar)


def find_leaks(file: str, rows: pl.DataFrame, held: HeldOut) -> list[Finding]:
    """Both rules about rows that train: `rows` has the columns of ROWS, of which any but `row` may be null.

    Rows from elsewhere (synthetic questions, demonstrations) have a question and a misconception, and no question_id.
    """
    texts = rows["question"].drop_nulls().unique().sort()
    near = {texts[place] for place, _ in near_pairs(texts, held.questions, held.similar)}
    leaks = {"question": [], "misconception": []}
    for row, question_id, question, misconception_id, text in rows.select(*ROWS).iter_rows():
        if question_id in held.question_ids or question in near:
            leaks["question"].append(row)
        if misconception_id in held.misconception_ids or words_of(text or "") in held.texts:
            leaks["misconception"].append(row)
    return [Finding(rule, file, len(rows), tuple(broken)) for rule, broken in leaks.items()]


def find_negatives(file: str, groups: pl.DataFrame, allowed: set[int]) -> Finding:
    """The rule about negatives, of a groups or taught table: each is one of the `allowed` misconceptions."""
    negatives = groups.filter(~pl.col("is_positive"))
    bad = negatives.filter(~pl.col("misconception_id").is_in(sorted(allowed)))
    names = (f"{query_id} with {id_}" for query_id, id_ in bad.select("query_id", "misconception_id").iter_rows())
    return Finding("negative", file, len(negatives), tuple(names))


def find_strangers(run: Path, folders: list[Path]) -> Finding:
    """The rule about lineage, of everything that `folders` were made from, over all iterations."""
    folds, todo, edges, broken = digest(run / "prepare"), list(folders), {}, []
    while todo:
        folder = todo.pop()
        lineage = read_lineage(folder, "inputs")
        # adapters of other splits are averaged in where nothing is held out: no fold is strange to it
        averaged = set() if holds_out(run.name) else {Path(adapter).parent for adapter in lineage.averaged or ()}
        averaged = {path for path in averaged if path.parent != folder.parent}  # other epochs of its own training stay
        inputs = {Path(path): then for path, then in lineage.inputs.items() if Path(path) not in averaged}
        for name in (COMPETITION, REPLAYED, SHOTS, PROMPTS):  # which are no folders of a run
            inputs.pop(Path(name), None)
        if folder.name == "train_reranker" and folder.parent / "audit" not in inputs:
            broken.append(f"{folder}, which no audit preceded,")
        todo += [path for path in inputs if (folder, path) not in edges and is_whole(path)]
        edges |= {(folder, path): then for path, then in inputs.items()}
    for (folder, path), then in edges.items():
        if path.parent.name != run.name or (path.name == "prepare" and then != folds):
            broken.append(f"{folder}, made from other folds in {path.parent},")
        elif not is_whole(path) or digest(path) != then:
            broken.append(f"{folder}, made from a {path} that has changed since,")
    return Finding("lineage", str(run), len(edges), tuple(sorted(set(broken))))


def _findings(context: StageContext) -> Iterator[Finding]:
    (queries, misconceptions), section, split = context.texts(), context.settings.prepare, context.run.name
    drawn: set[int] = set()
    if holds_out_misconceptions(split):
        drawn = draw_misconceptions(queries, misconceptions, section.held_out, fold_seed(section.seed, split))
    held = hold_out(queries, misconceptions, drawn, section.similar)
    texts = dict(misconceptions.select("misconception_id", "text").iter_rows())
    train = queries.filter(pl.col("fold") == "train")
    right = labels_of(train).select("query_id", "misconception_id")
    train = train.drop("misconception_id").join(right, on="query_id", how="left", maintain_order="left")
    yield from find_leaks(f"{context.run}/prepare/queries.parquet", _rows(train, texts), held)
    for model in ROLES:
        scope = getattr(context.settings, f"mine_for_{model}").negatives
        allowed = seen_ids(queries) if scope == "seen" else set(texts)
        for file, groups in _groups(context, model):
            asked = groups.filter("is_positive").select("query_id", "misconception_id")
            rows = asked.join(queries.drop("misconception_id"), on="query_id", how="left", maintain_order="left")
            assert not rows["question_id"].has_nulls(), f"{file} has queries that prepare has not"
            yield from find_leaks(file, _rows(rows, texts), held)
            yield find_negatives(file, groups, allowed)
        if getattr(context.settings, f"teach_{model}").teacher != "previous":
            yield from _teacher_findings(context, model, held)
    for stage in ("train_embedder", "merge_embedder"):
        yield from find_leaks(f"{context.run}/{stage}/card.json", _example_rows(context.run / stage, queries), held)
    if context.settings.explain.writer != "off":
        written, valid = context.read(TEXTS, "explain"), queries.filter(pl.col("fold") == "valid")
        told = [*find_labels_seen(written, set(valid["query_id"])), *find_own_shots(written, queries)]
        yield Finding("text", f"{context.run}/explain/texts.parquet", len(written), tuple(told))
        if context.settings.train_writer.file:
            yield from _student_findings(context, written, held)
    folders = [context.run / name for name in MADE if is_whole(context.run / name)]
    yield find_strangers(context.run, folders)


def _told(context: StageContext) -> Iterator[str]:
    """A sentence for each file of texts whose writers saw labels, which names no rows that it could be judged by."""
    for stage in ("explain", "describe"):
        if getattr(context.settings, stage).writer == "replay":
            texts = context.read(TEXTS, stage)
            for seen, rows in seen_in_file(texts).items():
                yield (
                    f"{context.run}/{stage}: the writers of {rows} of {count(len(texts), 'text')} saw {seen}, as their "
                    f"names say, and what {context.run.name} holds out may be among that"
                )


def _student_findings(context: StageContext, written: pl.DataFrame, held: HeldOut) -> Iterator[Finding]:
    """A teacher may have seen labels: its students learn from nothing that is held out, nor from their own rows."""
    lessons, queries = context.read(LESSONS, "train_writer"), context.queries()
    learnt = queries.filter(pl.col("query_id").is_in(lessons["query_id"].implode()))
    texts = dict(context.misconceptions().select("misconception_id", "text").iter_rows())
    yield from find_leaks(f"{context.run}/train_writer/lessons.parquet", _rows(learnt, texts), held)
    own = find_own_lessons(written, lessons, queries)
    yield Finding("student", f"{context.run}/explain/texts.parquet", len(written), tuple(own))


def _teacher_findings(context: StageContext, model: str, held: HeldOut) -> Iterator[Finding]:
    """Teachers of parts learn from nothing that is held out, and score no row whose answer they have learnt."""
    folder = teachers_of(context, getattr(context.settings, f"teach_{model}").teacher).folder
    lessons, parts, queries = LESSONS.read(folder), PARTS.read(folder), context.queries()
    learnt = queries.filter(pl.col("query_id").is_in(lessons["query_id"].implode()))
    texts = dict(context.misconceptions().select("misconception_id", "text").iter_rows())
    yield from find_leaks(f"{folder}/lessons.parquet", _rows(learnt, texts), held)
    if parts["part"].n_unique() > 1:  # a single teacher has learnt what it scores, as it was told to
        scored = context.read(TAUGHT, f"teach_{model}")
        found = find_learnt_rows(scored, parts, lessons, queries, context.misconceptions())
        yield Finding("teacher", f"{context.run}/teach_{model}/taught.parquet", len(scored), tuple(found))


def _groups(context: StageContext, model: str) -> Iterator[tuple[str, pl.DataFrame]]:
    yield f"{context.run}/mine_for_{model}/groups.parquet", context.read(GROUPS, f"mine_for_{model}")
    if context.settings.is_taught(model):
        yield f"{context.run}/teach_{model}/taught.parquet", context.read(TAUGHT, f"teach_{model}")


def _rows(queries: pl.DataFrame, texts: dict[int, str]) -> pl.DataFrame:
    text = pl.col("misconception_id").replace_strict(texts, return_dtype=pl.String)
    return queries.with_columns(pl.col("query_id").alias("row"), text.alias("text")).select(*ROWS)


def _example_rows(folder: Path, queries: pl.DataFrame) -> pl.DataFrame:
    """ROWS of the card's examples, each with the question whose text it is: the id beside it may be another's.

    Raises ValueError for a text that no row of prepare has.
    """
    card = read_embedder_card(folder)
    questions = {row_text(row, card.prompt.layout): row["question"] for row in queries.iter_rows(named=True)}
    rows = []
    for place, (question_id, answer, example) in enumerate(card.examples):
        name = f"example {place} (question {question_id})"
        if example.query not in questions:
            raise ValueError(f"{folder}/card.json, {name} is the text of no row of prepare: train that stage again")
        rows.append((name, question_id, questions[example.query], answer, example.response))
    return pl.DataFrame(rows, schema=ROWS, orient="row")
