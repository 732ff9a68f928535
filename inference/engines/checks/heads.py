"""Says which tensor of a folder holds its head, and whether its family can keep one row of it as a classifier's."""

from collections.abc import Collection
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel

HEADS = ("lm_head.weight", "embed_out.weight")  # the second is GPT-NeoX's
TIED = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight")  # embeddings that are it too
SCORE = "score.weight"  # of a decoder's classifier: one row of the head, and nothing else behind the layers


def find_head(names: Collection[str]) -> str | None:
    """The tensor that holds a row for each word of the vocabulary: the head's, or the embedding's that is also it."""
    return next((name for end in (*HEADS, *TIED) for name in sorted(names) if name.endswith(end)), None)


def check_yes(folder: Path, config: PretrainedConfig, names: Collection[str]) -> None:
    """Raise ValueError for a causal model that cannot be served by the row of its answer alone."""
    rest = _behind_the_layers(config)
    what = f"{folder} is a {config.model_type}, which"
    if rest is None:
        raise ValueError(
            f"{what} transformers has no classifier of, and a reranker is served as one: take another base"
        )
    if rest != [SCORE]:
        raise ValueError(f"{what} puts {rest[0]} between its layers and its answer: take another base")
    if find_head(names) is None:
        raise ValueError(
            f"{folder} has no head that is known: neither {' nor '.join((*HEADS, *TIED))}: take another base"
        )


def check_labels(folder: Path, config: PretrainedConfig) -> None:
    """Raise ValueError for a classifier of more than one label."""
    if config.num_labels != 1:
        raise ValueError(
            f"{folder} is a classifier of {config.num_labels} labels, and a reranker has 1: take another base"
        )


def describe_classifier(config: PretrainedConfig) -> PreTrainedModel | None:
    """The family's classifier of one label, without numbers; None where transformers has none."""
    if type(config) not in AutoModelForSequenceClassification._model_mapping:
        return None
    said = {key: value for key, value in config.to_dict().items() if key not in ("id2label", "label2id")}
    one = type(config).from_dict({**said, "num_labels": 1})
    with torch.device("meta"):
        return AutoModelForSequenceClassification.from_config(one)


def _behind_the_layers(config: PretrainedConfig) -> list[str] | None:
    model = describe_classifier(config)
    if model is None:
        return None
    base = f"{model.base_model_prefix}."
    return [name for name, _ in model.named_parameters() if not name.startswith(base)]
