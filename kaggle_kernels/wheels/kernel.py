"""Kaggle's only kernel with internet: downloads the wheels that submit/ installs, on the very image it runs on."""

import subprocess
import sys

# vLLM's release decides torch; both kernels pin the same image, so pip chooses for the right interpreter and glibc.
WHEELS = ("vllm==0.19.1", "polars==2.1.0", "pydantic==2.14.3", "faiss-cpu==1.15.1")

subprocess.run(
    [sys.executable, "-m", "pip", "download", "--dest", "/kaggle/working", "--prefer-binary", *WHEELS], check=True
)
