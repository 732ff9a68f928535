"""Puts the tiny models and the made-up quiz together into objectives that can be trained in a second."""

from functools import partial
from pathlib import Path

import polars as pl
import torch
from peft import PeftModel
from safetensors.torch import load_file

from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.engines.transformers.engine import load_backbone, load_causal
from shared.artifacts.card import EmbedderCard
from shared.prompts.embedder import EmbedderPrompt
from shared.prompts.pointwise import RerankerPrompt
from shared.settings.sections import Lora, TrainEmbedder, TrainReranker, Weights
from shared.task.tables import CANDIDATES
from training.trainer.batches import Group, draw_epoch
from training.trainer.embedder import EmbedderObjective
from training.trainer.lora import add_lora
from training.trainer.memory.recompute import fit_memory
from training.trainer.pointwise_reranker import RerankerObjective

CPU = torch.device("cpu")
DECODER = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
BERT = ("query", "key", "value", "dense")
RECIPE = {  # 8 labelled queries and the one twice labelled question make 3 updates of an epoch: 3, 3 and 2 groups
    "epochs": 2,
    "batch": 3,
    "group": 4,
    "rate": 1e-2,
    "warmup": 0.2,
    "distill": 1.0,
    "micro_tokens": 1,  # every group is a micro-batch of its own
    "depth": 8,
    "checkpoint_seconds": 0.0,
}


def embedder_settings(*, dropout: float = 0.0, targets: tuple[str, ...] = DECODER, **changes) -> TrainEmbedder:
    lora = Lora(rank=4, alpha=8, dropout=dropout, targets=targets)
    return TrainEmbedder(**{**RECIPE, "lora": lora, "temperature": 0.1, "max_examples": 0, **changes})


def reranker_settings(*, dropout: float = 0.0, **changes) -> TrainReranker:
    lora = Lora(rank=4, alpha=8, dropout=dropout, targets=DECODER)
    return TrainReranker(**{**RECIPE, "lora": lora, "label_smoothing": 0.2, **changes})


def make_embedder(
    folder: Path,
    tables: tuple,
    settings: TrainEmbedder,
    *,
    dtype: str = "float64",
    card: EmbedderCard | None = None,
    weights: Weights = "full",
) -> tuple[PeftModel, EmbedderObjective]:
    model, words = load_backbone(folder, dtype, CPU, weights=weights), embedder_words(load_tokenizer(folder))
    card = card or EmbedderCard("last", EmbedderPrompt("Find it.", 60, 20, 20, 20))
    norms_as_wide_as_the_model(model)
    adapted = add_lora(model, settings.lora, seed=settings.seed)
    fit_memory(model, settings)
    return adapted, EmbedderObjective(model, words, card, tables, settings, batch_tokens=200)


def make_reranker(
    folder: Path, tables: tuple, settings: TrainReranker, *, dtype: str = "float64", weights: Weights = "full"
) -> tuple[PeftModel, RerankerObjective]:
    model, tokenizer = load_causal(folder, dtype, CPU, weights=weights), load_tokenizer(folder)
    norms_as_wide_as_the_model(model)
    adapted = add_lora(model, settings.lora, seed=settings.seed)
    fit_memory(model, settings)
    prompt = RerankerPrompt(query_tokens=60, passage_tokens=20, instruction="Yes or No?")
    pairs = (*tables, all_candidates(*tables))
    return adapted, RerankerObjective(model, tokenizer, prompt, pairs, settings, batch_tokens=200)


def norms_as_wide_as_the_model(model: torch.nn.Module) -> None:
    """Let RMS norms compute in the model's own precision; transformers' round to 32 bits whatever comes in."""
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = partial(
                torch.rms_norm, normalized_shape=module.weight.shape, weight=module.weight, eps=1e-6
            )


def mined_from(queries: pl.DataFrame, misconceptions: pl.DataFrame) -> list[Group]:
    """Every labelled training query with all other misconceptions as negatives, and a teacher's scores."""
    labelled = queries.filter(pl.col("fold") == "train").drop_nulls("misconception_id").sort("query_id")
    ids = misconceptions["misconception_id"].to_list()
    groups = []
    for place, (query_id, answer) in enumerate(labelled.select("query_id", "misconception_id").iter_rows()):
        first = (answer, *(id_ for id_ in ids if id_ != answer))
        groups.append(Group(query_id, first, tuple((place * 7 + id_ * 3) % 11 / 4 for id_ in first)))
    return groups


def updates_of(queries: pl.DataFrame, misconceptions: pl.DataFrame, settings, epoch: int = 1) -> list:
    mined = mined_from(queries, misconceptions)
    return draw_epoch(mined, group=settings.group, batch=settings.batch, epoch=epoch, seed=settings.seed)


def all_candidates(queries: pl.DataFrame, misconceptions: pl.DataFrame) -> pl.DataFrame:
    """Every misconception as a candidate of every query, in an order of the query's own."""
    ids = misconceptions["misconception_id"].to_list()
    rows = [
        (query_id, ids[(rank * 5 + place) % len(ids)], rank + 1, -0.1 * rank)
        for place, query_id in enumerate(queries["query_id"])
        for rank in range(len(ids))
    ]
    return pl.DataFrame(rows, schema=CANDIDATES.schema, orient="row")


def randomise(model: PeftModel, seed: int = 3) -> PeftModel:
    """Give the adapters values as if they were trained: at first B is 0, and so is every gradient of A."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return model


def adapter_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")
