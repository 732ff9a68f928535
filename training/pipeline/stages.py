"""Runs one stage of a run folder: reads what earlier stages wrote there, writes its own folder whole or not at all.

Section of the settings = stage = function here = folder of its output.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shared.settings.sections import Embedder
from shared.task.splits import DRAWS, fold_seed, holds_out
from shared.task.tables import CANDIDATES, GROUPS, MISCONCEPTIONS, QUERIES, RANKED, RANKS, TAUGHT
from training.run_folder.stage_context import Job


def prepare(job: Job) -> None:
    """Competition CSVs -> queries with their folds, misconceptions."""
    from shared.task.competition import read_competition
    from shared.task.folds import hold_out_misconceptions, hold_out_questions

    data = read_competition(Path(job.settings.prepare.competition))
    queries = data.train
    section, split = job.settings.prepare, job.run.name
    how = {"share": section.held_out, "seed": fold_seed(section.seed, split), "similar": section.similar}
    if split in DRAWS:
        queries = hold_out_misconceptions(queries, data.misconceptions, **how)
    elif holds_out(split):
        queries = hold_out_questions(queries, **how)
    job.write(queries, "queries", QUERIES)
    job.write(data.misconceptions, "misconceptions", MISCONCEPTIONS)
    labelled = queries.drop_nulls("misconception_id")
    print(
        ", ".join(f"{count} {fold} pairs" for fold, count in labelled.group_by("fold").len().sort("fold").iter_rows())
    )


def mine_for_embedder(job: Job) -> None:
    """The first miner, or the previous iteration's embedder -> candidates of every labelled query, groups."""
    from shared.artifacts.card import read_embedder_card
    from training.run_folder.base_models import local_folder

    if job.settings.miner is None:
        folder = job.previous("merge_embedder")
        _mine(job, job.settings.mine_for_embedder, folder, read_embedder_card(folder))
    else:
        _mine(
            job,
            job.settings.mine_for_embedder,
            local_folder(job.settings.miner.base),
            _new_card(job, job.settings.miner),
        )


def teach_embedder(job: Job) -> None:
    """The previous iteration's reranker -> a teacher score for every row of the embedder's groups."""
    _teach(job, "mine_for_embedder", job.settings.teach_embedder.engine)


def train_embedder(job: Job) -> None:
    """Groups, with teacher scores or without -> an adapter for every epoch, the card of the prompts, metrics."""
    from training.trainer.train import train_embedder as run

    run(job, _groups(job, "embedder"), _new_card(job, job.settings.embedder, all_examples=True))


def merge_embedder(job: Job) -> dict:
    """An epoch's adapter and the base -> the embedder that serves. Returns its lineage."""
    from training.trainer.train import merge_embedder as run

    return run(job, _new_card(job, job.settings.embedder))


def mine_for_reranker(job: Job) -> None:
    """This iteration's embedder -> candidates of every labelled query, groups."""
    from shared.artifacts.card import read_embedder_card

    folder = job.run / "merge_embedder"
    _mine(job, job.settings.mine_for_reranker, folder, read_embedder_card(folder))


def teach_reranker(job: Job) -> None:
    """The previous iteration's reranker -> a teacher score for every row of the reranker's groups."""
    _teach(job, "mine_for_reranker", job.settings.teach_reranker.engine)


def audit(job: Job) -> None:
    """Everything that training reads or has made -> audit.json; fails where validation data is in it."""
    from training.evaluation.leak_audit import audit as run

    run(job)


def train_reranker(job: Job) -> None:
    """Groups, with teacher scores or without -> an adapter for every epoch, the card of the prompts, metrics."""
    from training.trainer.train import train_reranker as run

    run(job, _groups(job, "reranker"), job.read("mine_for_reranker", "candidates", CANDIDATES))


def merge_reranker(job: Job) -> dict:
    """An epoch's adapter and the base -> the reranker that serves. Returns its lineage."""
    from training.trainer.train import merge_reranker as run

    return run(job)


def evaluate(job: Job) -> None:
    """Both merged models, as they serve, and the baselines -> candidates, ranked, ranks, metrics."""
    from inference.engines.distributed import rank
    from training.evaluation.evaluate import evaluate as run

    made = run(job)
    if rank() == 0:
        job.write(made.candidates, "candidates", CANDIDATES)
        job.write(made.ranked, "ranked", RANKED)
        job.write(made.ranks, "ranks", RANKS)
        (job.out / "metrics.json").write_text(json.dumps(made.metrics, indent=1) + "\n")


def quantize_embedder(job: Job) -> dict:
    """The merged embedder -> one in 4 or 8 bits, with its loss on held-out data. Returns its lineage."""
    from training.export.quantize import quantize

    return quantize(job, "embedder")


def quantize_reranker(job: Job) -> dict:
    """The merged reranker -> one in 4 or 8 bits, with its loss on held-out data. Returns its lineage."""
    from training.export.quantize import quantize

    return quantize(job, "reranker")


@dataclass(frozen=True)
class Stage:
    """A stage: its function, the sections of the settings it reads, the folders it reads, and how it is run."""

    run: Callable[[Job], dict | None]  # what it returns is added to the lineage in the output's manifest
    sections: tuple[str, ...]
    # stages of this run; "previous/STAGE" of the previous iteration's; "A|B": A, in a first iteration B
    needs: tuple[str, ...]
    trains: bool = False  # on every GPU, and from the last checkpoint on after a kill
    taught: bool = False  # only with a previous iteration
    asked_for: bool = False  # only when somebody asks for it

    @property
    def name(self) -> str:
        return self.run.__name__


STAGES = {
    stage.name: stage
    for stage in (
        Stage(prepare, ("prepare",), ()),
        Stage(mine_for_embedder, ("miner", "mine_for_embedder"), ("prepare", "previous/merge_embedder")),
        Stage(
            teach_embedder,
            ("teach_embedder",),
            ("prepare", "mine_for_embedder", "previous/merge_reranker"),
            taught=True,
        ),
        Stage(
            train_embedder, ("embedder", "train_embedder"), ("prepare", "teach_embedder|mine_for_embedder"), trains=True
        ),
        Stage(merge_embedder, ("embedder", "merge_embedder"), ("prepare", "train_embedder")),
        Stage(mine_for_reranker, ("mine_for_reranker",), ("prepare", "merge_embedder")),
        Stage(
            teach_reranker,
            ("teach_reranker",),
            ("prepare", "mine_for_reranker", "previous/merge_reranker"),
            taught=True,
        ),
        Stage(
            audit,
            ("prepare", "mine_for_embedder", "mine_for_reranker"),
            (
                "prepare",
                "mine_for_embedder",
                "teach_embedder|mine_for_embedder",
                "train_embedder",
                "merge_embedder",
                "mine_for_reranker",
                "teach_reranker|mine_for_reranker",
            ),
        ),
        Stage(
            train_reranker,
            ("reranker", "train_reranker"),
            ("prepare", "mine_for_reranker", "teach_reranker|mine_for_reranker", "audit"),
            trains=True,
        ),
        Stage(merge_reranker, ("reranker", "merge_reranker"), ("train_reranker",)),
        Stage(
            evaluate,
            ("miner", "embedder", "evaluate"),  # the first two for the embedder's base, untrained
            ("prepare", "mine_for_embedder", "merge_embedder", "merge_reranker"),
        ),
        Stage(quantize_embedder, ("evaluate", "quantize"), ("prepare", "merge_embedder"), asked_for=True),
        Stage(
            quantize_reranker,
            ("evaluate", "quantize"),
            ("prepare", "mine_for_reranker", "merge_reranker"),
            asked_for=True,
        ),
    )
}


def stages_of(split: str, previous: str) -> list[Stage]:
    """The stages of a run, in their order: teaching needs a previous iteration, evaluating needs held-out data."""
    return [
        stage
        for stage in STAGES.values()
        if not stage.asked_for and (previous or not stage.taught) and (holds_out(split) or stage.name != "evaluate")
    ]


def _mine(job: Job, settings, folder: Path, card) -> None:
    from inference.engines.distributed import rank
    from inference.machine.profiles import load_profile
    from inference.retrieval.retrieve import restrict, retrieve
    from shared.task.folds import seen_ids
    from training.mining.hard_negatives import mine

    queries, misconceptions = job.texts()
    labelled = queries.drop_nulls("misconception_id")
    profile = load_profile(job.settings.machine.profile)
    found = retrieve(
        labelled, misconceptions, folder, card, engine=settings.engine, profile=profile, k=len(misconceptions)
    )
    if rank() == 0:
        negatives = seen_ids(queries) if settings.negatives == "seen" else misconceptions["misconception_id"]
        groups = mine(
            labelled,
            restrict(found, negatives, settings.highest),
            lowest=settings.lowest,
            highest=settings.highest,
            count=settings.count,
            seed=settings.seed,
        )
        job.write(found.filter(pl.col("rank") <= settings.kept), "candidates", CANDIDATES)
        job.write(groups, "groups", GROUPS)
        print(f"{len(labelled)} queries, {len(groups)} rows in groups")


def _teach(job: Job, mined: str, engine) -> None:
    from inference.engines.distributed import rank
    from inference.machine.profiles import load_profile
    from training.mining.teacher_scores import teach

    queries, misconceptions = job.texts()
    groups = job.read(mined, "groups", GROUPS)
    profile = load_profile(job.settings.machine.profile)
    taught = teach(queries, misconceptions, groups, job.previous("merge_reranker"), engine=engine, profile=profile)
    if rank() == 0:
        job.write(taught, "taught", TAUGHT)


def _groups(job: Job, model: str) -> pl.DataFrame:
    if job.settings.iteration.previous:
        return job.read(f"teach_{model}", "taught", TAUGHT)
    return job.read(f"mine_for_{model}", "groups", GROUPS)


def _new_card(job: Job, model: Embedder, *, all_examples: bool = False):
    from shared.artifacts.card import EmbedderCard
    from shared.prompts.embedder import EmbedderPrompt
    from training.trainer.batches import draw_examples

    prompt = EmbedderPrompt(
        model.task,
        model.query_tokens,
        model.passage_tokens,
        model.example_query_tokens,
        model.example_passage_tokens,
        model.end_token,
    )
    if not model.task:
        return EmbedderCard(model.pooling, prompt)
    examples = draw_examples(*job.texts(), model.seed)
    # 32: a query skips those of its own question and misconception, and never has to skip so many
    return EmbedderCard(model.pooling, prompt, tuple(examples if all_examples else examples[:32]), model.examples)
