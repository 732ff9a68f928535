"""Measures how fast a language model writes on one GPU: random weights, fixed lengths, no text ends by itself.

HF_HUB_OFFLINE=1 python -m benchmarks.writing --shape 14b --out DIR [--kinds cot,short] [--together 256]

Prompts have the lengths of real ones (187 tokens, of which 86 are the same for all), texts 325 tokens as a chain of
thought does and 58 as a short text. DIR/SHAPE_KIND.json has what was measured so far at any moment.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness.bench import device_name, versions
from benchmarks.inputs.shapes import FIRST_WORD, SHAPES, Shape, write_without_weights
from benchmarks.writing.floor import Floor, Load, floor_of
from inference.engines.protocols import Writer
from inference.engines.writers import vllm
from inference.machine.profiles import Profile, load_profile
from shared.prompts.writer import Sampling

CONSTANT_TOKENS, PROMPT_TOKENS = 86, 187
TEXT_TOKENS = {"cot": 325, "short": 58}
WARM_PROMPTS, WARM_TOKENS = 64, 16


def main() -> None:
    chosen = _arguments()
    vllm.MOST_TOGETHER = chosen.together
    chosen.out.mkdir(parents=True, exist_ok=True)
    shape, profile, started = SHAPES[chosen.shape], _profile(), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_endless(shape, folder)
        with vllm.open_writer(folder, profile, PROMPT_TOKENS + max(TEXT_TOKENS.values())) as writer:
            opened = time.monotonic() - started
            cache = writer.engine.llm.llm_engine.vllm_config.cache_config
            held = (cache.num_gpu_blocks or 0) * cache.block_size
            print(f"{chosen.shape} opened in {opened:.0f} s, the cache holds {held} tokens", flush=True)
            writer.generate(draw_prompts(shape, WARM_PROMPTS, seed=0), Sampling(WARM_TOKENS))
            for kind in chosen.kinds.split(","):
                load = Load(chosen.prompts, CONSTANT_TOKENS, PROMPT_TOKENS, TEXT_TOKENS[kind])
                about = {"kind": kind, "shape": chosen.shape, "seconds_to_open": opened, "cache_tokens": held}
                measure(writer, shape, load, about, chosen)


def measure(writer: Writer, shape: Shape, load: Load, about: dict, chosen: argparse.Namespace) -> None:
    """Write the same load several times, in other words each time, and leave what is known after each."""
    room = about["cache_tokens"] // (load.prompt_tokens + load.text_tokens)
    together = min(chosen.together, room) if room else chosen.together
    floor, seconds = floor_of(shape, load, together, device_name(_device())), []
    for place in range(chosen.rounds):
        prompts = draw_prompts(shape, load.prompts, seed=1 + 100 * load.text_tokens + place)
        began = time.perf_counter()
        written = writer.generate(prompts, Sampling(load.text_tokens))
        seconds.append(time.perf_counter() - began)
        assert {text.tokens for text in written} == {load.text_tokens}, "a text ended by itself"
        _write({**about, "together": together}, load, floor, seconds, chosen.out)


def draw_prompts(shape: Shape, count: int, seed: int) -> list[list[int]]:
    """Prompts of equal length that begin alike, in words of their own behind that."""
    rng = np.random.default_rng(seed)
    constant = np.random.default_rng(0).integers(FIRST_WORD, shape.vocabulary, CONSTANT_TOKENS).tolist()
    own = rng.integers(FIRST_WORD, shape.vocabulary, (count, PROMPT_TOKENS - CONSTANT_TOKENS)).tolist()
    return [[*constant, *words] for words in own]


def write_endless(shape: Shape, folder: Path) -> None:
    """A folder for an engine that makes weights up, whose model has no token with which it could end a text."""
    write_without_weights(shape, folder, "Qwen2ForCausalLM")
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        path = folder / name
        if path.is_file():
            said = json.loads(path.read_text(encoding="utf-8"))
            for key in ("eos_token", "eos_token_id"):
                said.pop(key, None)
            path.write_text(json.dumps(said), encoding="utf-8")


def _write(about: dict, load: Load, floor: Floor, seconds: list[float], out: Path) -> None:
    median = statistics.median(seconds)
    found = {
        **about,
        "device": device_name(_device()),
        "versions": versions(),
        "prompts": load.prompts,
        "prompt_tokens": [load.constant_tokens, load.prompt_tokens],
        "text_tokens": load.text_tokens,
        "seconds": seconds,
        "written_tokens_per_second": load.prompts * load.text_tokens / median,
        "texts_per_second": load.prompts / median,
        "floor_seconds_by_flops": floor.flops,
        "floor_seconds_by_bytes": floor.bytes,
        "share_of_the_floor": max(floor.flops, floor.bytes) / median,
    }
    path = out / f"{about['shape']}_{about['kind']}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1), flush=True)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _profile() -> Profile:
    name = "cpu_bf16"
    if torch.cuda.is_available():
        name = "h200" if torch.cuda.get_device_properties(0).total_memory > 100 * 2**30 else "h100"
    return load_profile(name).model_copy(update={"weights": "dummy", "replicas": 1})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures how fast a language model writes on one GPU.")
    parser.add_argument("--shape", choices=SHAPES, default="14b")
    parser.add_argument("--prompts", type=int, default=2000)
    parser.add_argument("--kinds", default="cot,short")
    parser.add_argument("--rounds", type=int, default=2, help="passes of each kind")
    parser.add_argument("--together", type=int, default=vllm.MOST_TOGETHER, help="texts in work at once, at most")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
