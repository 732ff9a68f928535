"""Joins the processes that torchrun started; alone, every function here does nothing."""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist

from inference.engines.heartbeat import heartbeat

# what gloo, NCCL and the store say when the process at the other end is gone
LOST = re.compile(
    r"Connection (closed|reset|refused)|Broken pipe|Socket (closed|Timeout)|recvValue failed|Failed to recv|"
    r"sendBytes failed|remote process exited|RendezvousConnection"
)
_queues = itertools.count()  # every process asks for the same queues in the same order


@contextmanager
def joined_ranks(device: str) -> Iterator[torch.device]:
    """Join the group that torchrun describes in the environment; yields this process's device."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    place = torch.device(device, local) if device == "cuda" else torch.device(device)
    if device == "cuda":
        torch.cuda.set_device(place)
        avoid_cudnn_attention()
    if "WORLD_SIZE" in os.environ and not dist.is_initialized():
        dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=timedelta(minutes=30))
    try:
        with heartbeat(rank()), _losing_no_other():
            yield place
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


@contextmanager
def _losing_no_other() -> Iterator[None]:
    """Say in a sentence that another process is gone. Raises ValueError then, for whatever the libraries raised."""
    try:
        yield
    except RuntimeError as error:
        if world() > 1 and LOST.search(str(error)):
            raise ValueError(
                f"process {rank()} lost the connection to another one: that one, or its machine, is gone"
            ) from None
        raise


def avoid_cudnn_attention() -> None:
    """Its backward pass gives NaN for masked rows of n x 128 + 64 tokens on Hopper (benchmarks/masked_attention.py)."""
    torch.backends.cuda.enable_cudnn_sdp(False)


def rank() -> int:
    """This process's number, 0 when alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait_for_all() -> None:
    """Return once every process has come here."""
    if world() > 1:
        dist.barrier()


def sum_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """Add `tensor` up over all processes, in place."""
    if world() > 1:
        dist.all_reduce(tensor)
    return tensor


def take_turns(count: int, *, together: bool = False) -> Iterator[int | None]:
    """The numbers 0 to count - 1, each taken by the process that is free first; every process has to ask.

    `together`, every process is asked the same number of times: in turn, with None where nothing is left for it.
    """
    if world() == 1:
        yield from range(count)
        return
    if together:
        for first in range(0, count, world()):
            yield first + rank() if first + rank() < count else None
        return
    queue, store = f"queue {next(_queues)}", dist.distributed_c10d._get_default_store()
    while (number := store.add(queue, 1) - 1) < count:
        yield number


def largest_over_ranks(value: int, device: torch.device) -> int:
    """The largest `value` of all processes."""
    if world() == 1:
        return value
    tensor = torch.tensor(value, device=device)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return int(tensor)


def check_same(value: int, what: str, device: torch.device) -> None:
    """Raise ValueError, on every process, where `value` is not the same on all of them; `what` says what it is."""
    if largest_over_ranks(value, device) != -largest_over_ranks(-value, device):
        raise ValueError(f"{what} is not the same for all processes: let the machines share one folder, and repeat")


@contextmanager
def lacks_memory_together(device: torch.device, *, alone: bool = False) -> Iterator[None]:
    """At the end of the block an OutOfMemoryError of any process is one of all of them; of this one, if `alone`.

    Every process has to come to that end: inside, none may wait for another.
    """
    error = None
    try:
        yield
    except torch.OutOfMemoryError as lack:
        error = lack
    if not alone and world() > 1 and largest_over_ranks(int(error is not None), device) and error is None:
        raise torch.OutOfMemoryError("another process ran out of memory")
    if error is not None:
        raise error


def fill_from_ranks(values: np.ndarray) -> np.ndarray:
    """Put together an array of which each process computed some rows and left the others 0. Exact: x + 0 = x."""
    if world() == 1:
        return values
    on_gpu = dist.get_backend() == "nccl"
    return sum_over_ranks(torch.from_numpy(values).to("cuda" if on_gpu else "cpu")).cpu().numpy()
