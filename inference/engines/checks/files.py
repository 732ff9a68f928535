"""Reads what a folder says of its model without reading the weights: its class, and the shape of every tensor.

Says in one sentence what is wrong with a folder whose files are no whole model: another format, a lost or cut shard.
"""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from shared.artifacts.json_files import read_json

INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
AGAIN = "fetch or make the model again"
POINTER = b"version https://git-lfs"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
TOKENIZERS = (  # files any of which a tokenizer can be made of
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"),
    *("spiece.model", "sentencepiece.bpe.model"),
)

Shape = tuple[int, ...]


def read_config(folder: Path) -> dict:
    """What config.json of `folder` holds. Raises ValueError for a folder that is no model's."""
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} holds no config.json, so it is no model: {AGAIN}")
    for path in folder.iterdir():
        _check_plain(path)
    return read_json(folder / "config.json", AGAIN)


def read_architecture(folder: Path) -> str:
    """The name of the model's class. Raises ValueError where config.json does not say it."""
    names = read_config(folder).get("architectures")
    if not (isinstance(names, list) and names and isinstance(names[0], str)):
        raise ValueError(f'{folder}/config.json names no class in "architectures": {AGAIN}')
    return names[0]


def read_shapes(folder: Path) -> dict[str, Shape]:
    """{name: shape} of every tensor of the model in `folder`, from the headers of its files alone.

    Raises ValueError unless they are one whole model in safetensors.
    """
    shards = _shards(folder)
    shapes: dict[str, Shape] = {}
    for shard in shards:
        for name, shape in tensor_shapes(shard).items():
            if name in shapes:
                raise ValueError(f"{shard} holds {name} once more: one of the model's files is of another; {AGAIN}")
            shapes[name] = shape
    return shapes


def tensor_shapes(path: Path) -> dict[str, Shape]:
    """{name: shape} of every tensor in one file. Raises ValueError for a file that is cut, damaged or a pointer."""
    _check_plain(path)
    try:
        with open(path, "rb") as file:
            if file.read(len(POINTER)) == POINTER:
                raise ValueError(f"{path} is a pointer of Git LFS, not the weights: git lfs pull fetches them")
        with safe_open(path, "numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is cut or damaged ({str(error).strip()}): {AGAIN}") from None


def check_tokenizer(folder: Path) -> None:
    """Raise ValueError for a folder without a file that a tokenizer can be made of."""
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise ValueError(f"{folder} holds no tokenizer: {AGAIN}")


def _check_plain(path: Path) -> None:
    if path.exists() and not (path.is_file() or path.is_dir()):  # a named pipe would be waited for without an end
        raise ValueError(f"{path} is no plain file: {AGAIN}")


def _shards(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        other = [path.name for pattern in PICKLED for path in sorted(folder.glob(pattern))]
        what = f", only {other[0]}, which is a pickle and not read" if other else ""
        raise ValueError(f"{folder} holds no .safetensors file{what}: take the model in safetensors")
    if not (folder / INDEX).is_file():
        if [path.name for path in found] != [WHOLE]:
            odd = next(path for path in found if path.name != WHOLE)
            raise ValueError(f"{odd} is there, and no {INDEX} that lists it: {AGAIN}")
        return found
    return _listed(folder, found)


def _listed(folder: Path, found: list[Path]) -> list[Path]:
    places = read_json(folder / INDEX, AGAIN).get("weight_map")
    if not (isinstance(places, dict) and places and all(isinstance(name, str) for name in places.values())):
        raise ValueError(f"{folder / INDEX} lists no tensors: {AGAIN}")
    names = sorted(set(places.values()))
    for name in names:
        if folder / name not in found:
            raise ValueError(f"{folder / name} is missing, and {INDEX} lists it: {AGAIN}")
    if extra := [path for path in found if path.name not in names]:
        raise ValueError(f"{extra[0]} is there, and {INDEX} does not list it: remove it, or {AGAIN}")
    for shard in found:
        here = tensor_shapes(shard).keys()
        if wrong := sorted(here ^ {tensor for tensor, place in places.items() if place == shard.name}):
            raise ValueError(f"{folder / INDEX} and {shard.name} do not agree on {wrong[0]}: {AGAIN}")
    return found
