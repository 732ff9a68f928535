"""Reads how a base folder wants its vectors made: the pooling, dense layers and prompts of sentence-transformers."""

from dataclasses import dataclass
from pathlib import Path

from shared.artifacts.json_files import read_json
from shared.prompts.embedder import Pooling

AGAIN = "fetch or make the model again"
MODES = {"cls": "cls", "mean": "mean", "lasttoken": "last"}  # what is computed here, by sentence-transformers' names
OLD = {"cls_token": "cls", "mean_tokens": "mean", "lasttoken": "lasttoken"}  # behind pooling_mode_ in older folders
ENCODERS = (  # families whose tokens see each other both ways, so that the last one is like any other
    *("albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert"),
    *("electra", "ernie", "eurobert", "longformer", "megatron-bert", "modernbert", "mpnet", "nomic_bert", "roberta"),
    *("roformer", "squeezebert", "xlm-roberta", "xlm-roberta-xl"),
)


@dataclass(frozen=True)
class SentenceFolder:
    """What a folder says of its vectors, or what its family makes of one that says nothing."""

    pooling: Pooling
    query_prefix: str = ""
    passage_prefix: str = ""
    dense: tuple[str, ...] = ()  # folders of the layers behind the pooling, in their order


def read_sentence_folder(folder: Path) -> SentenceFolder:
    """Raises ValueError for a pooling, or a module, that is not computed here."""
    prompts, pooling, dense = _prompts(folder), None, []
    for module in _modules(folder):
        kind, place = str(module.get("type", "")).rpartition(".")[2], str(module.get("path", ""))
        if kind == "Pooling":
            pooling = _pooling(folder / place / "config.json")
        elif kind == "Dense":
            dense.append(place)
        elif kind not in ("Transformer", "Normalize"):
            raise ValueError(f"{folder}/modules.json has a {kind}, which is not computed here: take another base")
    return SentenceFolder(pooling or _usual(folder), *prompts, tuple(dense))


def reads_two_texts(config: dict) -> bool:
    """Whether an encoder marks which of two texts a token is of: BERT does, XLM-R does not."""
    return config.get("model_type") in ENCODERS and config.get("type_vocab_size", 0) > 1


def _modules(folder: Path) -> list[dict]:
    path = folder / "modules.json"
    if not path.is_file():
        return []
    said = read_json(path, AGAIN, kind=list)
    if not all(isinstance(module, dict) for module in said):
        raise ValueError(f"{path} lists no modules: {AGAIN}")
    for place in (Path(str(module.get("path", ""))) for module in said):
        if place.is_absolute() or ".." in place.parts:
            raise ValueError(f"{path} names {place}, which lies outside {folder}: {AGAIN}")
    return said


def _pooling(path: Path) -> Pooling:
    said = read_json(path, AGAIN)
    old = [OLD.get(name, name) for name in _asked_for(said)]
    modes = [said["pooling_mode"]] if "pooling_mode" in said else old
    if len(modes) != 1 or modes[0] not in MODES:
        raise ValueError(f"{path} pools by {', '.join(map(str, modes)) or 'nothing'}, and there are {', '.join(MODES)}")
    if said.get("include_prompt") is False:
        raise ValueError(f"{path} leaves the prompt out of the pooling, which is not computed here: take another base")
    return MODES[modes[0]]


def _asked_for(said: dict) -> list[str]:
    return [
        key.removeprefix("pooling_mode_") for key, value in said.items() if key.startswith("pooling_mode_") and value
    ]


def _prompts(folder: Path) -> tuple[str, str]:
    """What stands in front of a query, and of a passage."""
    path = folder / "config_sentence_transformers.json"
    said = (read_json(path, AGAIN) if path.is_file() else {}).get("prompts") or {}
    named = {name: text for name, text in said.items() if isinstance(text, str)}
    query = next((named[name] for name in ("query", "web_search_query", "s2p_query") if name in named), "")
    return query, next((named[name] for name in ("document", "passage") if name in named), "")


def _usual(folder: Path) -> Pooling:
    said = read_json(folder / "config.json", AGAIN)
    both_ways = said.get("is_causal") is False or said.get("use_bidirectional_attention") is True
    return "mean" if both_ways or said.get("model_type") in ENCODERS else "last"
