"""Holds all settings of an iteration: a section for each stage, frozen once it is read.

A default stands once, in one of the modules imported here, with the reason below it; params.toml holds what an
iteration changes. `python -m shared.settings.page` writes both into docs/configuration.md.
"""

from shared.settings.data import Iteration, Machine, Mine, MineForReranker, Prepare, Teach, TeachReranker, TrainTeachers
from shared.settings.evaluation import Evaluate, Quantize
from shared.settings.models import Embedder, Lora, Reranker
from shared.settings.section import Count, Engine, Precision, Scheme, Section, Share, Weights
from shared.settings.texts import Describe, Explain, TrainWriter, Writer
from shared.settings.training import Merge, MergeReranker, Train, TrainEmbedder, TrainReranker

__all__ = [
    "Count",
    "Describe",
    "Embedder",
    "Engine",
    "Evaluate",
    "Explain",
    "Iteration",
    "Lora",
    "Machine",
    "Merge",
    "MergeReranker",
    "Mine",
    "MineForReranker",
    "Precision",
    "Prepare",
    "Quantize",
    "Reranker",
    "Scheme",
    "Section",
    "Settings",
    "Share",
    "Teach",
    "TeachReranker",
    "Train",
    "TrainEmbedder",
    "TrainReranker",
    "TrainTeachers",
    "TrainWriter",
    "Weights",
    "Writer",
]


class Settings(Section):
    """Everything that an iteration can be told."""

    task: str = "eedi"
    """What is asked: `eedi`, or the name of a file in `shared/task/files/definitions`, such as `map` or `beir`."""
    iteration: Iteration = Iteration()
    machine: Machine = Machine()
    miner: Embedder | None = None
    """The model that mines before anything was trained; iteration 0 has one, later iterations have none."""
    embedder: Embedder
    reranker: Reranker
    writer: Writer | None = None
    """The language model that writes about the queries and the misconceptions; without one, nothing is written."""
    prepare: Prepare = Prepare()
    train_writer: TrainWriter = TrainWriter()
    explain: Explain = Explain()
    describe: Describe = Describe()
    mine_for_embedder: Mine = Mine()
    teach_embedder: Teach = Teach()
    train_embedder: TrainEmbedder = TrainEmbedder()
    merge_embedder: Merge
    mine_for_reranker: MineForReranker = MineForReranker()
    train_teachers: TrainTeachers = TrainTeachers()
    teach_reranker: TeachReranker = TeachReranker()
    train_reranker: TrainReranker = TrainReranker()
    merge_reranker: MergeReranker
    evaluate: Evaluate = Evaluate()
    quantize: Quantize = Quantize()

    def is_taught(self, model: str) -> bool:
        """Whether a teacher scores the groups of `model`, "embedder" or "reranker"."""
        return bool(self.iteration.previous) or getattr(self, f"teach_{model}").teacher == "own_parts"
