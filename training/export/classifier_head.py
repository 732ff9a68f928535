"""Leaves of a merged reranker's head the row of "Yes" alone: the folder becomes a classifier that every engine reads.

Of Qwen2.5-14B's head that is 10 kB for 1.5 GB: 5 % of the merged folder, 16 % of a 4-bit one, less to upload, to load
and to hold. And the row is right however vLLM splits a model: it cuts it out of its own part of the vocabulary.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from inference.engines.checks.heads import HEADS, SCORE, TIED, find_head


def keep_yes_alone(folder: Path, yes: int) -> None:
    """Turn the causal language model in `folder`, in place, into its family's classifier of one label.

    Its score is the logit of token `yes` behind the last token. Raises ValueError for another kind of model.
    """
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    name = config["architectures"][0]
    if not name.endswith("ForCausalLM"):
        raise ValueError(f"{folder} holds a {name}: a reranker has to be a ...ForCausalLM, take another base")
    _move_row(folder, yes)
    config["architectures"] = [name.removesuffix("ForCausalLM") + "ForSequenceClassification"]
    config |= {"id2label": {"0": "Yes"}, "label2id": {"Yes": 0}}
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _move_row(folder: Path, yes: int) -> None:
    """Put the row where the head stood, or beside the embedding that is also the head; one shard is in memory."""
    places = {name: shard for shard in sorted(folder.glob("*.safetensors")) for name in _names(shard)}
    source = find_head(places)
    if source is None:
        raise ValueError(f"{folder} holds neither {' nor '.join((*HEADS, *TIED))}: take another base")
    shard = places[source]
    with safe_open(shard, "pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    tensors[SCORE] = tensors[source][yes : yes + 1].clone()
    gone = {source, source.replace(".weight", ".bias")} if source.endswith(HEADS) else set()  # a bias is alike for all
    lost = {name: tensors.pop(name) for name in gone & tensors.keys()}
    save_file(tensors, shard, metadata=metadata)
    _list(folder / "model.safetensors.index.json", shard.name, tensors[SCORE], lost)


def _names(shard: Path) -> list[str]:
    with safe_open(shard, "pt") as file:
        return list(file.keys())


def _list(index: Path, shard: str, row: torch.Tensor, lost: dict[str, torch.Tensor]) -> None:
    """Bring the list of a sharded model's tensors up to date; a model of one shard has none."""
    if not index.is_file():
        return
    listed = json.loads(index.read_text(encoding="utf-8"))
    for name in lost:
        listed["weight_map"].pop(name)
    listed["weight_map"][SCORE] = shard
    listed["metadata"]["total_size"] += row.nbytes - sum(tensor.nbytes for tensor in lost.values())
    index.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
