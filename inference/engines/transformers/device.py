"""Copies between CPU and GPU for which the CPU does not wait, so that it lays out a batch while the GPU computes."""

from collections.abc import Callable

import numpy as np
import torch


def send(values: np.ndarray | torch.Tensor, device: torch.device) -> torch.Tensor:
    """Values in the CPU's memory, on `device`. A plain copy would first wait for everything that the GPU has to do."""
    tensor = torch.as_tensor(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def fetch(tensor: torch.Tensor) -> Callable[[], np.ndarray]:
    """Begin to copy `tensor` to the CPU. What it returns waits for that copy, not for what the GPU has to do later."""
    copy = tensor.to("cpu", non_blocking=True)
    if tensor.device.type != "cuda":
        return copy.numpy
    copied = torch.cuda.Event()
    copied.record(torch.cuda.current_stream(tensor.device))

    def wait() -> np.ndarray:
        copied.synchronize()
        return copy.numpy()

    return wait
