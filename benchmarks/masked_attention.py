"""Shows which of PyTorch's attention kernels gives NaN for left-padded rows, the way FlagEmbedding pads for training.

python -m benchmarks.masked_attention FILE.json

FlagEmbedding pads on the left to a multiple of 8. Its in-context embedder's loss became NaN on an H200 under
transformers 5.17. With cuDNN's kernel, which PyTorch prefers there from 2.11 on, a mask and n x 128 + 64 columns can
give NaN gradients (pytorch issue 196678). harness/bench.py therefore switches that kernel off, for every side alike.
"""

import json
import sys
from pathlib import Path

import torch
from torch.nn.functional import scaled_dot_product_attention

COLUMNS = (64, 72, 128, 192, 200, 320)


def run(device: torch.device, out: Path) -> None:
    """Count the entries that are not finite, with cuDNN's kernel allowed and not; writes `out`."""
    before, counts = torch.backends.cuda.cudnn_sdp_enabled(), {}
    for allowed in (True, False):
        torch.backends.cuda.enable_cudnn_sdp(allowed)
        name = "cuDNN's kernel allowed" if allowed else "cuDNN's kernel switched off"
        counts[name] = {columns: _count_bad(columns, device) for columns in COLUMNS}
        print(f"masked attention, {name}: entries not finite by columns {counts[name]}", flush=True)
    torch.backends.cuda.enable_cudnn_sdp(before)
    out.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


def _count_bad(columns: int, device: torch.device) -> int:
    """Of the output and the three gradients of four left-padded rows."""
    generator = torch.Generator(device).manual_seed(1)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    query, key, value = (
        torch.randn(4, 8, columns, 64, generator=generator, device=device).to(dtype).requires_grad_() for _ in range(3)
    )
    padding = torch.tensor([0, 1, columns // 2, columns - 1], device=device).view(-1, 1, 1, 1)
    place = torch.arange(columns, device=device)
    sees = (place <= place.unsqueeze(1)) & (place >= padding)
    out = scaled_dot_product_attention(query, key, value, attn_mask=sees)
    torch.where(place.unsqueeze(1) >= padding, out, 0).sum().backward()  # nobody reads what stands in the padding
    read = torch.where(place.unsqueeze(1) >= padding, out, 0)
    return sum(int((~torch.isfinite(part)).sum()) for part in (read, query.grad, key.grad, value.grad))


if __name__ == "__main__":
    run(torch.device("cuda" if torch.cuda.is_available() else "cpu"), Path(sys.argv[1]))
