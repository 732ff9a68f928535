"""What every stage starts from: the device, the model, the tokenizer's folder; and the command line they share."""

import argparse
import importlib.metadata
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import Qwen2ForCausalLM

from benchmarks.harness.arms import measure
from benchmarks.harness.results import Arm, Benchmark
from benchmarks.harness.several_gpus import start_on_gpus
from benchmarks.harness.table import print_table
from benchmarks.inputs.shapes import SHAPES, Shape, build, write_tokenizer
from inference.engines.distributed import avoid_cudnn_attention
from shared.artifacts.lineage import Lineage
from training.run_folder.code_version import code_version, short_version

VERSIONS = ("torch", "transformers", "peft", "vllm", "FlagEmbedding", "sentence-transformers", "faiss-cpu")
PEERS = {"FlagEmbedding": "FlagEmbedding", "sentence-transformers": "sentence_transformers"}

EVERY = ("",)
ARMS = {
    "type": lambda text: tuple(text.split("|")),
    "default": EVERY,
    "help": "only arms with one of these in their names, as in 'ours, exact|FlagEmbedding'",
}


@dataclass(frozen=True)
class Bench:
    """A model of a shape, and folders for what the peers want to read from a disk."""

    shape_name: str
    shape: Shape
    device: torch.device
    base: Qwen2ForCausalLM
    tokenizer: Path
    work: Path
    wanted: tuple[str, ...]  # arms whose "side, setting" has one of these in it are measured

    @property
    def tiny(self) -> bool:
        return self.shape_name == "tiny"


@contextmanager
def opened(shape_name: str, wanted: tuple[str, ...] = EVERY) -> Iterator[Bench]:
    """Build the model on the GPU (bfloat16), or where there is none on the CPU (float32)."""
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    avoid_cudnn_attention()
    shape, start = SHAPES[shape_name], time.monotonic()
    if device.type == "cpu":
        torch.set_num_threads(1)
    base = build(shape, device, torch.bfloat16 if device.type == "cuda" else torch.float32)
    print(
        f"{shape_name}: {shape.body / 1e9:.2f} G weights a token, made in {time.monotonic() - start:.1f} s", flush=True
    )
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        work.mkdir()
        write_tokenizer(shape, Path(folder) / "tokenizer")
        yield Bench(shape_name, shape, device, base, Path(folder) / "tokenizer", work, wanted)


def run_stage(bench: Bench, name: str, arms: list[Arm], *, train: bool, seconds: float, out: Path) -> None:
    """Measure the wanted arms for about `seconds`, print the table, leave the JSON in `out`."""
    arms = [arm for arm in arms if is_wanted(arm.side, arm.setting, bench.wanted)]
    if not arms:
        print(f"{name} has no arm with {' or '.join(bench.wanted)} in its name", flush=True)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    about = {"shape": bench.shape_name, "device": device_name(bench.device), "versions": versions()}
    stage = Benchmark(name, bench.shape, bench.device, train, time.monotonic() + seconds, out, about)
    print_table(stage, measure(stage, arms))


def is_wanted(side: str, setting: str, wanted: tuple[str, ...]) -> bool:
    """Whether an arm has one of the wanted words in its name; "" is in every name."""
    return any(words in f"{side}, {setting}" for words in wanted)


def read(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line; --arms is refused where only ours is measured."""
    chosen = parser.parse_args()
    if chosen.gpus > 1 and chosen.arms != EVERY:
        parser.error("with --gpus there is no side but ours: leave --arms out")
    return chosen


def installed(peer: str, *needs: str) -> bool:
    """Whether a peer and what it `needs` can be imported; where not, that is printed: no requirements name it."""
    missing = [name for name in (PEERS[peer], *needs) if importlib.util.find_spec(name) is None]
    if missing:
        print(f"{peer} is not compared with: {', '.join(missing)} is not installed", flush=True)
    return not missing


def main(run: Callable[[Bench, float, Path], object], name: str) -> None:
    """`python -m benchmarks.NAME [--shape 14b] [--seconds 120] [--arms WORDS] [--out FILE.json]`

    Or `[--gpus 2] [--out DIR]`.
    """
    parser = argparse.ArgumentParser(description=f"Measures {name} side by side with the peers that are installed.")
    parser.add_argument("--shape", choices=SHAPES, default="14b")
    parser.add_argument("--seconds", type=float, default=120.0, help="for this stage, model and compiling left out")
    parser.add_argument("--arms", **ARMS)
    parser.add_argument("--gpus", type=int, default=1, help="2: ours on two GPUs against one, no peers")
    parser.add_argument("--out", type=Path, help=f"{name}.json, or with --gpus its folder")
    chosen = read(parser)
    if chosen.gpus > 1:
        start_on_gpus([name], chosen.shape, chosen.gpus, chosen.out or Path())
        return
    with opened(chosen.shape, chosen.arms) as bench:
        run(bench, chosen.seconds, chosen.out or Path(f"{name}.json"))


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def versions() -> dict[str, str]:
    found = {"malrule": short_version(Lineage(**code_version()))}
    for name in VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
