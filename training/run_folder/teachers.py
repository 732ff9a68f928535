"""Says how the teachers of `train_teachers` are trained, where they lie, and which of them scores which rows."""

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shared.artifacts.lineage import read_lineage
from shared.settings.load import read_settings
from shared.settings.sections import Reranker, Settings, TrainReranker, TrainTeachers
from shared.task.tables import Table
from training.run_folder.stage_context import StageContext

STAGE = "train_teachers"
PARTS = Table("parts", {"query_id": pl.String, "part": pl.Int64}, key=("query_id",))  # of the labelled training rows


@dataclass(frozen=True)
class Teachers:
    """What `train_teachers` of a run has made: `settings` are those that it was made with."""

    folder: Path
    settings: Settings

    def adapter(self, part: int) -> Path:
        """Of the teacher that has not seen this part: the last epoch's."""
        return self.folder / teacher_of(part) / f"epoch_{self.settings.train_reranker.epochs}"


def teacher_of(part: int) -> str:
    """The folder of the teacher that scores a part of the rows, and its name in the table LESSONS."""
    return f"part_{part}"


def training_of(settings: Settings) -> TrainReranker:
    """How a teacher is trained: as the reranker is, but on labels alone."""
    train = settings.train_reranker
    return train.model_copy(
        update={
            "epochs": settings.train_teachers.epochs or train.epochs,
            **{key: TrainReranker.model_fields[key].default for key in TrainReranker.model_fields if "distill" in key},
            "label_weight": 1.0,
        }
    )


def teachers_of(context: StageContext, teacher: str) -> Teachers:
    """The teachers that `own_parts` or `previous_parts` means in `context`."""
    run = context.run if teacher == "own_parts" else context.previous(STAGE).parent
    said = read_lineage(run / STAGE, "settings").settings
    made = {
        "reranker": Reranker.model_validate_json(json.dumps(said["reranker"])),
        "train_reranker": TrainReranker.model_validate_json(json.dumps(said["train_reranker"])),
        "train_teachers": TrainTeachers.model_validate_json(json.dumps(said["train_teachers"])),
    }
    return Teachers(run / STAGE, read_settings(run).model_copy(update=made))
