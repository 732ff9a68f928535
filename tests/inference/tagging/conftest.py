"""Merged models as small as can be, and rows to tag."""

import shutil
from pathlib import Path

import pytest

from inference.engines.serving import Serving
from inference.engines.tokenizer import load_tokenizer, yes_token
from inference.fusion.calibration import Calibration
from inference.fusion.confidence import Confidence, Fit
from inference.machine.profiles import load_profile
from inference.tagging.rows import check_row
from inference.tagging.tagger import TagModels
from shared.artifacts.card import EmbedderCard, RerankerCard, write_card
from shared.artifacts.manifest import write_manifest
from shared.prompts.embedder import EmbedderPrompt
from shared.prompts.pointwise import RerankerPrompt
from training.export.classifier_head import keep_yes_alone

FIT = Fit(scale=1.0, elsewhere=0.0, centre=(0.0,) * 4, spread=(1.0,) * 4, weights=(-1.0, 0.0, 0.0, 0.0), bias=0.0)
CONFIDENCE = Confidence(
    reranked=FIT,
    retrieved=FIT,
    draws=("cv", "cv2"),
    auroc={"reranked": 0.8, "retrieved": 0.7},
    error={"reranked": 0.1, "retrieved": 0.1},
)


@pytest.fixture(scope="session")
def folders(tiny_bert, tiny_qwen, tmp_path_factory) -> tuple[Path, Path]:
    """A merged embedder and a merged reranker."""
    place = tmp_path_factory.mktemp("merged")
    embedder, reranker = Path(shutil.copytree(tiny_bert, place / "e")), Path(shutil.copytree(tiny_qwen, place / "r"))
    write_card(EmbedderCard("mean", EmbedderPrompt("", 150, 150, 40, 40)), embedder)
    keep_yes_alone(reranker, yes_token(load_tokenizer(reranker)))
    write_card(RerankerCard(RerankerPrompt(150, 40, "Yes or No?")), reranker)
    for folder in (embedder, reranker):
        write_manifest(folder, {})
    return embedder, reranker


@pytest.fixture
def models(folders) -> TagModels:
    calibration = Calibration(retrieved=25, depth=4, blend=0.5, offset=0.25, labelled=(10, 20))
    return TagModels(*folders, Serving("hf", load_profile("cpu")), calibration, CONFIDENCE)


# An entry with the words of row_of() has its vector, too: nothing is nearer.
SAME = "Subject: Fractions\nConstruct: Add\nQuestion: 1/2 + 1/3 = ?\nCorrect answer: 5/6\nWrong answer: 2/5"


def row_of(wrong="2/5", **changes):
    fields = {"subject": "Fractions", "construct": "Add", "question": "1/2 + 1/3 = ?", "correct": "5/6", "wrong": wrong}
    return check_row({**fields, **changes}, "row 1")
