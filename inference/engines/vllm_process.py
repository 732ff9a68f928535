"""Starts vLLM inside this process and takes back all that it changed there, for whatever runs a model with it."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from inference.engines.quiet import hush_libraries
from inference.machine.profiles import Profile

Running = TypeVar("Running")

# What vLLM reads from the environment; a value that is already set there wins.
ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine in this process: starts in 4 to 15 s, not 70 to 110, on a CPU
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",  # a start writes about 60 lines otherwise
    "HF_HUB_OFFLINE": "1",  # the folder holds everything
    "VLLM_USE_FLASHINFER_SAMPLER": "0",  # little is drawn, and without FlashInfer (a T4) looking for it fails
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # a sentence-transformers folder names a shorter length than the model has
}
CPU_ENVIRONMENT = {"TORCHDYNAMO_DISABLE": "1"}  # Compiling takes 144 s there and gains nothing.
LEFT_BEHIND = ("LD_PRELOAD", "LOCAL_WORLD_SIZE")  # vLLM sets these on a CPU and does not take them back.
# The least there is on a CPU; with vLLM's 128 a query of 100 tokens shares nothing, and 4.0 s of work take 9.7 s.
CPU_BLOCK_TOKENS = 32


def set_environment(profile: Profile) -> None:
    """What vLLM reads when it is imported."""
    hush_libraries()
    for name, value in {**ENVIRONMENT, **(CPU_ENVIRONMENT if profile.device == "cpu" else {})}.items():
        os.environ.setdefault(name, value)


@contextmanager
def running(profile: Profile, start: Callable[[], Running]) -> Iterator[Running]:
    """What `start` makes, an object with an `llm`; at the end that is stopped and gives everything back."""
    import torch
    from vllm.distributed import cleanup_dist_env_and_memory
    from vllm.platforms import current_platform

    with _threads(profile), _own_environment():
        with _without_llvmlite():
            engine = start()
        try:
            yield engine
        finally:
            engine.llm.llm_engine.engine_core.shutdown()
            engine.llm = None
            # From 0.23 on shutdown does what follows. Before, the heap stays frozen, and with it weights and cache.
            gc.unfreeze()
            cleanup_dist_env_and_memory()
            gc.collect()
            # The pool of its CUDA graphs went with them, and the next engine that was told to use it could not start.
            type(current_platform)._global_graph_pool = None
            if profile.device == "cuda":
                torch.cuda.empty_cache()


@contextmanager
def _threads(profile: Profile) -> Iterator[None]:
    """The profile's threads on a CPU. vLLM makes torch.set_num_threads a function that does nothing: undone here."""
    import torch

    set_threads, before = torch.set_num_threads, torch.get_num_threads()
    set_threads(profile.threads if profile.device == "cpu" else before)
    try:
        yield
    finally:
        torch.set_num_threads = set_threads
        set_threads(before)


@contextmanager
def _without_llvmlite() -> Iterator[None]:
    """vLLM 0.32 asks every object of every module for kernels on a CPU, and one of this module answers to any name."""
    hidden = sys.modules.pop("llvmlite.binding.ffi", None)
    try:
        yield
    finally:
        if hidden is not None:
            sys.modules["llvmlite.binding.ffi"] = hidden


@contextmanager
def _own_environment() -> Iterator[None]:
    """What vLLM sets for processes of its own on a CPU, another OpenMP and memory allocator, is unset at the end.

    A training that started in the same environment would round otherwise.
    """
    before = {name: os.environ.get(name) for name in LEFT_BEHIND}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def machine_options(profile: Profile) -> dict:
    """What an engine is told of the machine."""
    if profile.device == "cpu":
        cache = int(profile.cache_gib * 2**30)
        return {"kv_cache_memory_bytes": cache, "block_size": CPU_BLOCK_TOKENS, "enforce_eager": True}
    options = {"gpu_memory_utilization": profile.memory_share, "enforce_eager": profile.eager}
    if profile.attention:
        options["attention_backend"] = profile.attention
    if profile.tensor_parallel > 1:
        options |= {"tensor_parallel_size": profile.tensor_parallel, "distributed_executor_backend": "mp"}
    return options
