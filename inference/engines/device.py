"""Sends what was laid out to the GPU without waiting for it."""

import numpy as np
import torch


def send(values: np.ndarray | torch.Tensor, device: torch.device) -> torch.Tensor:
    """`values` on `device`. A plain copy waits until a GPU has computed all that it was told to, and then it idles."""
    tensor = torch.as_tensor(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
