"""Damages files of every kind at drawn places: what reads them says so in a sentence, or answers as before."""

import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import torch
from safetensors.torch import save_file

from inference.engines.checks.model import check_model
from inference.engines.tokenizer import load_tokenizer
from inference.fusion.calibration import Calibration, read_calibration, write_calibration
from kaggle_kernels.api.retries import Refused
from kaggle_kernels.unpack import unpack
from shared.artifacts.card import EmbedderCard, read_embedder_card, write_card
from shared.artifacts.manifest import MANIFEST, VERIFIED, write_manifest
from shared.artifacts.verified import check_folder
from shared.prompts.embedder import EmbedderPrompt
from shared.settings.load import load_settings, read_settings, write_settings
from shared.task.current import TASK
from shared.task.submission import read_submission
from shared.task.tables import GROUPS, QUERIES
from tests.soak.frame import Case
from tests.tiny_models import make_qwen
from training.export.adapter import CONFIG, WEIGHTS
from training.export.merge import merge
from training.synthesis.malrules.generate import write_competition

CHECKED, ANY = "damage under a checksum", "damage without a checksum"
LENGTHS = (1, 2, 7, 64, 1000)  # bytes that are damaged together


@dataclass(frozen=True)
class Reader:
    """What reads a file: `read`, given the folder, gives something to compare; `exact`: no other answer may come."""

    file: str
    read: Callable[[Path], object]
    exact: bool = True


@contextmanager
def damage(folder: Path) -> Iterator[list[Case]]:
    """The cases of every kind of file, with its manifest and without."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.set_num_threads(1)
    yield [case for make in (_of_a_model, _of_an_adapter, _of_tables, _of_files) for case in make(folder)]


def spoil(content: bytes, rng: random.Random) -> bytes:
    """`content` with a byte flipped, a part zeroed or left out, or other bytes put in; or its end cut off."""
    at, length = rng.randrange(max(len(content), 1)), rng.choice(LENGTHS)
    if rng.random() < 0.3:  # heads are where the form is said
        at = rng.randrange(min(len(content), 256) or 1)
    match rng.choice(("flip", "cut", "zero", "lose", "insert", "empty" if rng.random() < 0.1 else "flip")):
        case "flip":
            return (
                content[:at]
                + bytes(byte ^ (1 << rng.randrange(8)) for byte in content[at : at + 1])
                + content[at + 1 :]
            )
        case "cut":
            return content[:at]
        case "zero":
            return content[:at] + bytes(len(content[at : at + length])) + content[at + length :]
        case "lose":
            return content[:at] + content[at + length :]
        case "insert":
            return content[:at] + rng.randbytes(length) + content[at:]
    return b""


def _cases(place: Path, kind: str, readers: list[Reader]) -> list[Case]:
    return [Case(kind, f"{place.name}/{one.file}", partial(_check, place, one)) for one in readers]


def _check(place: Path, reader: Reader, seed: int) -> str | None:
    path = place / reader.file
    whole, before = path.read_bytes(), reader.read(place)
    spoilt = spoil(whole, random.Random(f"{path.name} {seed}"))
    try:
        path.write_bytes(spoilt)
        after = reader.read(place)
    except (ValueError, Refused) as error:
        return None if str(error).strip() and len(str(error)) < 1000 else f"said {str(error)[:200]!r}"
    finally:
        path.write_bytes(whole)
    if reader.exact and spoilt != whole and after != before:
        return f"{path} was read otherwise, and nobody said so"
    return None


def _of_a_model(folder: Path) -> list[Case]:
    model = folder / "merge_embedder"
    model.mkdir()
    make_qwen(model)
    write_card(EmbedderCard("last", EmbedderPrompt("Find it.", 60, 20, 20, 20)), model)
    files = sorted(path.name for path in model.iterdir())
    bare = shutil.copytree(model, folder / "bare")
    write_manifest(model, {})
    readers = [Reader(name, _checked_folder) for name in (*files, MANIFEST)]
    loads = [
        Reader("model.safetensors", partial(check_model), exact=False),
        Reader("config.json", lambda place: check_model(place), exact=False),
        Reader("tokenizer.json", lambda place: len(load_tokenizer(place)), exact=False),
        Reader("tokenizer_config.json", lambda place: len(load_tokenizer(place)), exact=False),
        Reader("card.json", read_embedder_card, exact=False),
    ]
    return [*_cases(model, CHECKED, readers), *_cases(bare, ANY, loads)]


def _checked_folder(place: Path) -> object:
    check_folder(place)
    return {path.name: path.read_bytes() for path in place.iterdir() if path.name not in (MANIFEST, VERIFIED)}


def _of_an_adapter(folder: Path) -> list[Case]:
    base, adapter = folder / "bare", folder / "train_embedder" / "epoch_1"
    adapter.mkdir(parents=True)
    torch.manual_seed(1)
    layer = "base_model.model.model.layers.0.mlp.up_proj"
    factors = {f"{layer}.lora_A.weight": torch.randn(2, 32), f"{layer}.lora_B.weight": torch.randn(48, 2)}
    save_file(factors, adapter / WEIGHTS, metadata={"format": "pt"})
    (adapter / CONFIG).write_text('{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none"}', encoding="utf-8")
    plain = shutil.copytree(adapter, folder / "adapter")
    write_manifest(adapter.parent, {})

    def merged(place: Path) -> object:
        out = folder / "merged"
        shutil.rmtree(out, ignore_errors=True)
        return merge(base, place, out)

    def checked(place: Path) -> object:
        check_folder(place.parent)
        return merged(place)

    return [
        *_cases(adapter, CHECKED, [Reader(name, checked) for name in (WEIGHTS, CONFIG)]),
        *_cases(plain, ANY, [Reader(name, merged, exact=False) for name in (WEIGHTS, CONFIG)]),
    ]


def _of_tables(folder: Path) -> list[Case]:
    rows = [(f"{n}_A", 10 + place, place + 1, 0.5, place == 0) for n in range(200) for place in range(5)]
    table = pl.DataFrame(rows, schema=GROUPS.schema, orient="row")
    cases = []
    for name, kind in (("mine_for_embedder", CHECKED), ("tables", ANY)):
        GROUPS.write(table, folder / name)
        if kind == CHECKED:
            write_manifest(folder / name, {})
        reader = Reader("groups.parquet", lambda place: GROUPS.read(place).rows(), exact=kind == CHECKED)
        cases += _cases(folder / name, kind, [reader])
    return cases


def _of_files(folder: Path) -> list[Case]:
    place = folder / "files"
    write_competition(place, questions=40, test_questions=4)
    write_calibration(Calibration(retrieved=60, depth=4, extra=3, blend=20.0, offset=2.0, labelled=(1, 2, 5)), place)
    write_settings(load_settings("demo0"), place)
    with zipfile.ZipFile(place / "archive.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(place / "train.csv", "train.csv")
    test = TASK.read(place).test
    ids = TASK.read_misconceptions(place)["misconception_id"].to_list()
    lines = [f"{query},{' '.join(map(str, ids[:25]))}" for query in test["query_id"]]
    (place / "submission.csv").write_text("\n".join([",".join(TASK.submission.columns), *lines]), encoding="utf-8")

    def competition(place: Path) -> object:
        data = TASK.read(place)
        for part in (data.train, data.test):
            QUERIES.check(part, "read")
        return None

    def unpacked(place: Path) -> object:
        out = folder / "unpacked"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        unpack(place / "archive.zip", out)
        return sorted(path.read_bytes() for path in out.rglob("*") if path.is_file()) or None

    exact = [Reader("calibration.json", read_calibration)]
    names = (TASK.files.train, TASK.files.test, TASK.files.misconceptions)
    loose = [Reader(name, competition, exact=False) for name in names]
    loose.append(Reader("settings.json", read_settings, exact=False))
    loose.append(Reader("submission.csv", lambda p: read_submission(p / "submission.csv", test, set(ids)), exact=False))
    loose.append(Reader("archive.zip", unpacked, exact=False))
    return [*_cases(place, CHECKED, exact), *_cases(place, ANY, loose)]
