"""Declares the stages: what each is for, what it reads, which settings decide it, and how it is run."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.settings.sections import Settings
from shared.task.splits import holds_out
from training.pipeline import functions
from training.run_folder.stage_context import StageContext


@dataclass(frozen=True)
class Need:
    """A folder that a stage reads: that of `stage`, in the same run or in that of the previous iteration."""

    stage: str
    of_previous: bool = False  # of the previous iteration's run; a first iteration has none and does without
    in_first: str = ""  # what is read in its place where nobody teaches
    teacher: str = ""  # only where the reading stage has this teacher
    written: bool = False  # only where that stage is part of the chain: somebody writes, or a writer is trained


@dataclass(frozen=True)
class Stage:
    """A stage. What its function returns is added to the lineage in the output's manifest."""

    run: Callable[[StageContext], dict | None]
    meaning: str  # what it does, for people: the rest of a sentence that begins with its name
    sections: tuple[str, ...]  # of the settings
    needs: tuple[Need, ...]
    trains: bool = False  # on every GPU, and from the last checkpoint on after a kill
    has_engine: bool = False  # its section names the engine that it runs a model with; hf takes every GPU
    taught: bool = False  # only with a teacher
    asked_for: bool = False  # only when somebody asks for it
    writes: bool = False  # only where its section names a writer or, for a student, what it learns from

    @property
    def name(self) -> str:
        return self.run.__name__

    @property
    def has_model(self) -> bool:
        """Whether it computes with a model, and so on the device that the settings name."""
        return self.trains or self.has_engine or self.name.startswith(("merge_", "quantize_"))

    def shared(self, settings: Settings) -> bool:
        """Whether every GPU takes part: in training and with an hf engine; vLLM and the others are one process."""
        return self.trains or (self.has_engine and getattr(settings, self.name).engine == "hf")


TEACHERS = "train_teachers"
PREPARE = Need("prepare")
EMBEDDER_GROUPS = Need("teach_embedder", in_first="mine_for_embedder")
RERANKER_GROUPS = Need("teach_reranker", in_first="mine_for_reranker")
TEACHER = (
    Need("merge_reranker", of_previous=True, teacher="previous"),
    Need(TEACHERS, of_previous=True, teacher="previous_parts"),
    Need(TEACHERS, teacher="own_parts"),
)
DESCRIPTIONS = Need("describe", written=True)
STUDENTS = Need("train_writer", written=True)
TEXTS = (Need("explain", written=True), DESCRIPTIONS)

STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            functions.prepare,
            "reads the task's files and holds questions out for validation",
            sections=("prepare",),
            needs=(),
        ),
        Stage(
            functions.train_writer,
            "trains students to write what a teacher wrote",
            sections=("writer", "train_writer"),
            needs=(PREPARE,),
            trains=True,
            writes=True,
        ),
        Stage(
            functions.merge_writer,
            "makes one model of the writer's base and adapter, and proves it",
            sections=("writer",),
            needs=(STUDENTS,),
            writes=True,
        ),
        Stage(
            functions.explain,
            "has a language model say what thinking leads to each wrong answer",
            sections=("writer", "explain"),
            needs=(PREPARE, STUDENTS),
            writes=True,
        ),
        Stage(
            functions.describe,
            "has a language model describe each misconception",
            sections=("writer", "describe"),
            needs=(PREPARE,),
            writes=True,
        ),
        Stage(
            functions.mine_for_embedder,
            "finds the misconceptions that look right and are wrong, with the embedder so far",
            has_engine=True,
            sections=("miner", "mine_for_embedder"),
            needs=(PREPARE, *TEXTS, Need("merge_embedder", of_previous=True)),
        ),
        Stage(
            functions.teach_embedder,
            "has a reranker score what was mined for the embedder",
            has_engine=True,
            sections=("teach_embedder",),
            needs=(PREPARE, *TEXTS, Need("mine_for_embedder"), *TEACHER),
            taught=True,
        ),
        Stage(
            functions.train_embedder,
            "trains the embedder to put a query beside its misconception",
            sections=("embedder", "train_embedder"),
            needs=(PREPARE, *TEXTS, EMBEDDER_GROUPS),
            trains=True,
        ),
        Stage(
            functions.merge_embedder,
            "makes one model of the embedder's base and adapter, and proves it",
            sections=("embedder", "merge_embedder"),
            needs=(PREPARE, DESCRIPTIONS, Need("train_embedder")),
        ),
        Stage(
            functions.mine_for_reranker,
            "finds what the new embedder still mistakes",
            has_engine=True,
            sections=("mine_for_reranker",),
            needs=(PREPARE, *TEXTS, Need("merge_embedder")),
        ),
        Stage(
            functions.train_teachers,
            "trains rerankers that teach rows which they have not learnt",
            sections=("reranker", "train_reranker", "mine_for_reranker", TEACHERS),
            needs=(PREPARE, *TEXTS, Need("mine_for_reranker")),
            trains=True,
        ),
        Stage(
            functions.teach_reranker,
            "has a reranker score what was mined for the reranker",
            has_engine=True,
            sections=("teach_reranker",),
            needs=(PREPARE, *TEXTS, Need("mine_for_reranker"), *TEACHER),
            taught=True,
        ),
        Stage(
            functions.audit,
            "looks for validation data in everything that training reads",
            sections=("prepare", "mine_for_embedder", "mine_for_reranker"),
            needs=(
                PREPARE,
                STUDENTS,
                *TEXTS,
                Need("mine_for_embedder"),
                EMBEDDER_GROUPS,
                Need("train_embedder"),
                Need("merge_embedder"),
                Need("mine_for_reranker"),
                RERANKER_GROUPS,
            ),
        ),
        Stage(
            functions.train_reranker,
            'trains the reranker to answer "Yes" to the right misconception',
            sections=("reranker", "train_reranker"),
            needs=(PREPARE, *TEXTS, Need("mine_for_reranker"), RERANKER_GROUPS, Need("audit")),
            trains=True,
        ),
        Stage(
            functions.merge_reranker,
            "makes one model of the reranker's base and adapter, and proves it",
            sections=("reranker", "merge_reranker"),
            needs=(DESCRIPTIONS, Need("train_reranker")),
        ),
        Stage(
            functions.evaluate,
            "measures both models on the questions that were held out",
            has_engine=True,
            sections=("miner", "embedder", "evaluate"),  # the first two for the embedder's base, untrained
            needs=(PREPARE, *TEXTS, Need("mine_for_embedder"), Need("merge_embedder"), Need("merge_reranker")),
        ),
        Stage(
            functions.quantize_embedder,
            "makes the embedder small enough for a smaller GPU, and measures what that loses",
            sections=("evaluate", "quantize"),
            needs=(PREPARE, *TEXTS, Need("merge_embedder")),
            asked_for=True,
        ),
        Stage(
            functions.quantize_reranker,
            "makes the reranker small enough for a smaller GPU, and measures what that loses",
            sections=("evaluate", "quantize"),
            needs=(PREPARE, *TEXTS, Need("mine_for_reranker"), Need("merge_reranker")),
            asked_for=True,
        ),
    )
}


def stages_of(split: str, settings: Settings) -> list[Stage]:
    """The stages of a run, in their order.

    Teaching needs a teacher, teachers of parts are trained where somebody asks for parts, evaluating needs held-out
    data, writing needs a writer, and a writer that is to serve has learnt from all rows.
    """
    return [
        stage
        for stage in STAGES.values()
        if not stage.asked_for
        and (not stage.taught or settings.is_taught(stage.name.removeprefix("teach_")))
        and (stage.name != TEACHERS or settings.train_teachers.parts)
        and (holds_out(split) or stage.name != "evaluate")
        and (not holds_out(split) or stage.name != "merge_writer")
        and (not stage.writes or has_writer(stage.name, settings))
    ]


def has_writer(stage: str, settings: Settings) -> bool:
    """Whether somebody writes in the stage `explain` or `describe`, or is taught to, in the two of a writer."""
    if stage in ("train_writer", "merge_writer"):
        return bool(settings.train_writer.file)
    return getattr(settings, stage).writer != "off"
