"""Does the work of each stage: reads what earlier stages wrote into the run folder, fills the stage's own folder.

Section of the settings = stage = function here = folder of its output.
"""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl

from shared.counted import count
from shared.settings.sections import Embedder
from shared.task.splits import fold_seed, holds_out
from shared.task.tables import CANDIDATES, GROUPS, RANKED, SIBLINGS, TAUGHT, TEXTS
from training.run_folder.stage_context import StageContext


def prepare(context: StageContext) -> None:
    """Competition CSVs -> queries with their folds, misconceptions."""
    from shared.task.current import TASK
    from shared.task.folds import hold_out_misconceptions, hold_out_questions, labels_of
    from training.run_folder.held_out import holds_out_misconceptions
    from training.trainer.bases.cut_rows import report_cuts

    data = TASK.read(Path(context.settings.prepare.competition))
    queries = data.train
    section, split = context.settings.prepare, context.run.name
    how = {"share": section.held_out, "seed": fold_seed(section.seed, split), "similar": section.similar}
    if holds_out_misconceptions(split):
        queries = hold_out_misconceptions(queries, data.misconceptions, **how)
    elif holds_out(split):
        queries = hold_out_questions(queries, **how)
    context.write(queries, TASK.tables.queries)
    context.write(data.misconceptions, TASK.tables.misconceptions)
    labelled = labels_of(queries).join(queries.select("query_id", "fold"), on="query_id")
    print(
        ", ".join(
            count(rows, f"{fold} pair") for fold, rows in labelled.group_by("fold").len().sort("fold").iter_rows()
        )
    )
    for sentence in report_cuts(context.settings, queries):
        print(sentence)


def train_writer(context: StageContext) -> None:
    """A teacher's texts -> adapters of the students that write in its place, and what each of them learnt from."""
    from training.trainer.writing.students import train_students

    train_students(context)


def merge_writer(context: StageContext) -> dict:
    """The adapter of the student that learnt from all rows, and the base -> the writer. Returns its lineage."""
    from training.export.merge_models import merge_writer as run

    return run(context)


def explain(context: StageContext) -> None:
    """Every wrong answer, whatever its fold -> its rationales. No writer is told a label."""
    from training.pipeline.texts import rationales

    context.write(rationales(context), TEXTS)


def describe(context: StageContext) -> None:
    """Every misconception, by its name -> its description."""
    from training.pipeline.texts import descriptions

    context.write(descriptions(context), TEXTS)


def mine_for_embedder(context: StageContext) -> None:
    """The first miner, or the previous iteration's embedder -> candidates of every labelled query, groups."""
    from shared.artifacts.card import read_embedder_card
    from training.run_folder.base_models import local_folder

    if context.settings.miner is None:
        folder = context.previous("merge_embedder")
        _mine(context, context.settings.mine_for_embedder, folder, read_embedder_card(folder))
    else:
        _mine(
            context,
            context.settings.mine_for_embedder,
            local_folder(context.settings.miner.base),
            _new_card(context, context.settings.miner),
        )


def teach_embedder(context: StageContext) -> None:
    """The previous iteration's reranker, or its teachers of parts -> a teacher score for every row of the groups."""
    from training.teaching.teach import teach

    teach(context, "embedder")


def train_embedder(context: StageContext) -> None:
    """Groups, with teacher scores or without -> an adapter for every epoch, the card of the prompts, metrics."""
    from training.trainer.train import train_embedder as run

    run(context, _groups(context, "embedder"), _new_card(context, context.settings.embedder, all_examples=True))


def merge_embedder(context: StageContext) -> dict:
    """An epoch's adapter and the base -> the embedder that serves. Returns its lineage."""
    from training.export.merge_models import merge_embedder as run

    return run(context, _new_card(context, context.settings.embedder))


def mine_for_reranker(context: StageContext) -> None:
    """This iteration's embedder -> candidates of every labelled query, groups."""
    from shared.artifacts.card import read_embedder_card

    folder = context.run / "merge_embedder"
    _mine(context, context.settings.mine_for_reranker, folder, read_embedder_card(folder))


def train_teachers(context: StageContext) -> None:
    """The reranker's groups -> adapters of teachers, each of which has learnt nothing of a part of the rows."""
    from training.teaching.train_teachers import train_teachers as run

    run(context)


def teach_reranker(context: StageContext) -> None:
    """The previous iteration's reranker, or teachers of parts -> a teacher score for every row of the groups."""
    from training.teaching.teach import teach

    teach(context, "reranker")


def audit(context: StageContext) -> None:
    """Everything that training reads or has made -> audit.json; fails where validation data is in it."""
    from training.evaluation.leak_audit import audit as run

    run(context)


def train_reranker(context: StageContext) -> None:
    """Groups, with teacher scores or without -> an adapter for every epoch, the card of the prompts, metrics."""
    from training.trainer.train import train_reranker as run

    run(context, _groups(context, "reranker"), context.read(CANDIDATES, "mine_for_reranker"))


def merge_reranker(context: StageContext) -> dict:
    """An epoch's adapter and the base -> the reranker that serves. Returns its lineage."""
    from training.export.merge_models import merge_reranker as run

    return run(context)


def evaluate(context: StageContext) -> None:
    """Both merged models, as they serve, and the baselines -> candidates, ranked, ranks, siblings, metrics."""
    from inference.engines.distributed import rank
    from shared.task.current import TASK
    from training.evaluation.evaluate import evaluate as run
    from training.evaluation.siblings import sensitivity

    made = run(context)
    if rank() == 0:
        context.write(made.candidates, CANDIDATES)
        context.write(made.ranked, RANKED)
        context.write(made.ranks, TASK.tables.ranks)
        context.write(made.siblings, SIBLINGS)
        figures = sensitivity(made.siblings, context.settings.evaluate.bootstrap)
        for name, values in (("metrics", made.metrics), ("sensitivity", figures)):
            (context.out / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def quantize_embedder(context: StageContext) -> dict:
    """The merged embedder -> one in 4 or 8 bits, with its loss on held-out data. Returns its lineage."""
    from training.export.quantize import quantize

    return quantize(context, "embedder")


def quantize_reranker(context: StageContext) -> dict:
    """The merged reranker -> one in 4 or 8 bits, with its loss on held-out data. Returns its lineage."""
    from training.export.quantize import quantize

    return quantize(context, "reranker")


def _mine(context: StageContext, settings, folder: Path, card) -> None:
    from inference.engines.distributed import rank
    from inference.engines.serving import Serving
    from inference.machine.profiles import load_profile
    from inference.retrieval.retrieve import retrieve
    from training.mining.groups import make_groups

    queries, misconceptions = context.texts()
    labelled = queries.drop_nulls("misconception_id")
    serving = Serving(settings.engine, load_profile(context.settings.machine.profile))
    found = retrieve(labelled, misconceptions, folder, card, serving, k=len(misconceptions))
    if rank() == 0:
        groups = make_groups(found, labelled, misconceptions, settings)
        context.write(found.filter(pl.col("rank") <= settings.kept), CANDIDATES)
        context.write(groups, GROUPS)
        print(f"{count(len(labelled), 'query')}, {count(len(groups), 'row')} in groups")


def _groups(context: StageContext, model: str) -> pl.DataFrame:
    if context.settings.is_taught(model):
        return context.read(TAUGHT, f"teach_{model}")
    return context.read(GROUPS, f"mine_for_{model}")


def _new_card(context: StageContext, model: Embedder, *, all_examples: bool = False):
    from training.run_folder.base_models import local_folder
    from training.run_folder.cards import new_embedder_card
    from training.trainer.batches import draw_examples

    card = new_embedder_card(model, local_folder(model.base))
    if not model.task:
        return card
    examples = draw_examples(*context.texts(), model.seed, model.layout)
    # 32: a query skips those of its own question and misconception, and never has to skip so many
    return replace(card, examples=tuple(examples if all_examples else examples[:32]), shown=model.examples)
