"""Refuses a folder whose tensors are not those of the model that its config.json describes, before a weight is read.

Transformers fills what is missing with random numbers and leaves out what is surplus, both with a table of warnings.
Its own rules of names are asked all the same, with a model that has shapes and no numbers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils import logging

from inference.engines.checks.files import AGAIN, Shape, read_architecture, read_config, read_shapes

UNREAD = ("pooler.", "bert.pooler.", "roberta.pooler.")  # of an encoder; we pool the hidden states ourselves


def check_model(folder: Path, kind: type = AutoModel) -> list[str]:
    """Raise ValueError unless transformers' class `kind` gets every tensor from `folder`, and none there is odd.

    Returns the names of those that may be missing, for nobody reads them: of an encoder's pooler.
    """
    shapes, config = read_shapes(folder), load_config(folder)
    layers = config.get_text_config().num_hidden_layers
    if layers > len(shapes):  # a model of 10^5 layers would take minutes to be described
        raise ValueError(f"{folder}/config.json says {layers} layers, and {len(shapes)} tensors are there: {AGAIN}")
    if getattr(config, "quantization_config", None):
        _check_quantised(folder, config, shapes)
        return []
    found = _compare(kind, folder, config, shapes)
    if missing := [name for name in sorted(found["missing_keys"]) if not name.startswith(UNREAD)]:
        raise ValueError(f"{folder} lacks {_some(missing)}, which {_class(kind, config)} has: {AGAIN}")
    for name, there, wanted in sorted(found["mismatched_keys"]):
        sizes = f"{list(there)}, and config.json describes {list(wanted)}"
        raise ValueError(f"{folder}: {name} is {sizes}: they are of two models; {AGAIN}")
    surplus = set(found["unexpected_keys"])
    own = getattr(transformers, read_architecture(folder), None)
    if surplus and own is not None:  # its class may have a head that `kind` has no use for
        surplus &= set(_compare(own, folder, config, shapes)["unexpected_keys"])
    if surplus:
        raise ValueError(f"{folder} holds {_some(sorted(surplus))}, which its config.json does not describe: {AGAIN}")
    return sorted(found["missing_keys"])


def load_config(folder: Path) -> PretrainedConfig:
    """The configuration in `folder`. Raises ValueError where no model here can be made of it."""
    said = read_config(folder)
    kind = said.get("model_type")
    if kind not in CONFIG_MAPPING:
        what = "needs code of its own, which is never run" if "auto_map" in said else "is of an unknown kind"
        raise ValueError(
            f"{folder} {what} (model_type {kind!r}, transformers {transformers.__version__}): take another model"
        )
    with _explained(folder):
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Whatever transformers raises, as one sentence: it has a dozen kinds for a config.json that cannot be."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{folder}/config.json describes no model that is known here ({type(error).__name__}: {reason}): {AGAIN}"
        ) from None


def _compare(kind: type, folder: Path, config: PretrainedConfig, shapes: dict[str, Shape]) -> dict:
    """What transformers says of tensors of these names and shapes; it prints no table of them."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with _explained(folder):
            with torch.device("meta"):
                own = type(kind.from_config(config)) if hasattr(kind, "from_config") else kind
            _, found = own.from_pretrained(
                None,
                config=config,
                state_dict={name: torch.empty(shape, device="meta") for name, shape in shapes.items()},
                device_map="meta",
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    finally:
        logging.set_verbosity(before)
    return found


def _check_quantised(folder: Path, config: PretrainedConfig, shapes: dict[str, Shape]) -> None:
    """vLLM reads it, by other names for packed weights and scales: every module has some, and nothing else has."""
    own = getattr(transformers, read_architecture(folder), None)
    if own is None:
        return
    with _explained(folder), torch.device("meta"):
        wanted = {name.rpartition(".")[0] for name, _ in own(config).named_parameters()}
    there = {name.rpartition(".")[0] for name in shapes}
    tied = {"lm_head"} if config.get_text_config().tie_word_embeddings else set()
    if missing := sorted(wanted - there - tied):
        raise ValueError(f"{folder} lacks {_some(missing)} of what its config.json describes: {AGAIN}")
    if surplus := sorted(there - wanted - {"lm_head"}):
        raise ValueError(f"{folder} holds {_some(surplus)}, which its config.json does not describe: {AGAIN}")


def _class(kind: type, config: PretrainedConfig) -> str:
    role = {AutoModel: "", AutoModelForCausalLM: " with its head"}.get(kind, " that scores")
    return f"a {config.model_type} model{role}"


def _some(names: list[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
