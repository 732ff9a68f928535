"""Leaves of a merged reranker's head the row of "Yes" alone: the folder becomes a classifier that every engine reads.

Of Qwen2.5-14B's head that is 10 kB for 1.5 GB: 5 % of the merged folder, 16 % of a 4-bit one, less to upload, to load
and to hold. And the row is right however vLLM splits a model: it cuts it out of its own part of the vocabulary.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from inference.engines.checks.files import read_shapes
from inference.engines.checks.heads import HEADS, SCORE, check_yes, describe_classifier, find_head
from inference.engines.checks.model import load_config
from inference.engines.protocols import Answer


def keep_yes_alone(folder: Path, yes: Answer) -> None:
    """Turn the causal language model in `folder`, in place, into its family's classifier of one label.

    Its score is the logit of token `yes` behind the last token, less that of a second one. Raises ValueError as
    check_yes does.
    """
    path = folder / "config.json"
    config, described = json.loads(path.read_text(encoding="utf-8")), load_config(folder)
    check_yes(folder, described, read_shapes(folder))
    _move_row(folder, yes)
    config["architectures"] = [type(describe_classifier(described)).__name__]
    config |= {"id2label": {"0": "Yes"}, "label2id": {"Yes": 0}}
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _move_row(folder: Path, yes: Answer) -> None:
    """Put the row where the head stood, or beside the embedding that is also the head; one shard is in memory."""
    places = {name: shard for shard in sorted(folder.glob("*.safetensors")) for name in _names(shard)}
    source = find_head(places)
    assert source is not None, folder  # check_yes has found it
    shard = places[source]
    with safe_open(shard, "pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    head = tensors[source]
    tensors[SCORE] = (
        head[yes : yes + 1].clone()
        if isinstance(yes, int)
        else (head[yes[0]].float() - head[yes[1]].float()).to(head.dtype)[None]
    )
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
