"""Finds a language model that writes among the inputs of Kaggle's kernel: a dataset, or a model that Kaggle hosts."""

import json
from pathlib import Path

from inference.engines.writers.check import WRITE, check_writer
from shared.artifacts.manifest import MANIFEST, verify_manifest


def find_writer(inputs: Path) -> dict[str, Path]:
    """The options of predict for the writer under `inputs`; {} where there is none.

    It is a folder with config.json as transformers writes it and no card of ours, and maybe an adapter's folder, whose
    base it is. Raises ValueError where there are two of either, an adapter without its base, or a damaged file.
    """
    bases = [path.parent for path in sorted(inputs.rglob("config.json")) if _writes(path)]
    adapters = [path.parent for path in sorted(inputs.rglob("adapter_config.json"))]
    for name, found in (("writers", bases), ("adapters", adapters)):
        if len(found) > 1:
            raise ValueError(f"{found[0]} and {found[1]} are both {name}: leave one of them among the kernel's sources")
    if not bases:
        if adapters:
            raise ValueError(f"{adapters[0]} is an adapter without its base: add the base to the kernel's sources")
        return {}
    check_writer(bases[0], *adapters)
    for folder in [*bases, *adapters]:
        if (folder / MANIFEST).is_file():  # what somebody else made has none
            verify_manifest(folder)
    return {"writer": bases[0], **({"writer-adapter": adapters[0]} if adapters else {})}


def _writes(config: Path) -> bool:
    """Whether a model there has a head to write with and is none of ours; other tools have files of that name too."""
    try:
        names = json.loads(config.read_text(encoding="utf-8")).get("architectures") or [""]
    except (ValueError, AttributeError):
        return False
    return str(names[0]).endswith(WRITE) and not (config.parent / "card.json").exists()
