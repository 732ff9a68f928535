#!/usr/bin/env bash
# Writes cpu.txt, gpu.txt, quantize-cpu.txt, quantize-gpu.txt and the lock of Kaggle's wheels anew from the *.in files and shows where the first two differ; pinned versions stay unless --upgrade is given.
set -euo pipefail
cd "$(dirname "$0")/.."
./just --version >/dev/null # puts uv into .tools
export PATH="$PWD/.tools/bin:$PATH"

pin() {
    uv pip compile --quiet --generate-hashes --python-version 3.11 --python-platform x86_64-manylinux_2_28 --constraints requirements/constraints.txt \
        --excludes requirements/excludes.txt "$@"
}

# On a machine without a GPU torch comes from PyTorch's own index or from a folder of wheels, as another file than the index's.
leave_torch_open() { awk '/^torch==/ {print $1; skip = 1; next} skip && /^ +--hash/ {next} {skip = 0; print}' "$1" >"$1.partial" && mv "$1.partial" "$1"; }

pin --excludes requirements/cpu-excludes.txt --overrides requirements/cpu-overrides.txt requirements/cpu.in -o requirements/cpu.txt "$@"
leave_torch_open requirements/cpu.txt
pin requirements/gpu.in -o requirements/gpu.txt "$@"
pin --excludes requirements/cpu-excludes.txt --overrides requirements/cpu-overrides.txt requirements/quantize.in -o requirements/quantize-cpu.txt "$@"
leave_torch_open requirements/quantize-cpu.txt
pin requirements/quantize.in -o requirements/quantize-gpu.txt "$@"

# Kaggle's: with hashes, for the Python that the kernel names and the image's glibc. What it has of gpu.txt it takes from there.
wheels=kaggle_kernels/wheels
[ "${1:-}" != --upgrade ] && [ -s $wheels/requirements.txt ] || sed -nE 's/^([^ ;]+==[^ ;]+).*/\1/p' requirements/gpu.txt >$wheels/requirements.txt
uv pip compile --quiet --generate-hashes --no-annotate --only-binary :all: --python-platform x86_64-manylinux_2_35 \
    --python-version "$(sed -nE 's/^PYTHON = "(.*)".*/\1/p' $wheels/kernel.py)" $wheels/requirements.in -o $wheels/requirements.txt

versions() { grep -o '^[^ ;]*==[^ ;]*' "requirements/$1.txt" | LC_ALL=C sort -t= -k1,1; }
LC_ALL=C join -t= -o '1.1 1.3 2.3' <(versions cpu) <(versions gpu) | awk -F= '$2 != $3 {print $1 ": cpu " $2 ", gpu " $3; bad = 1} END {exit bad}' ||
    { echo "pin: name these in requirements/constraints.txt, so that what the tests ran on the CPU is what runs on the GPU" >&2; exit 1; }
