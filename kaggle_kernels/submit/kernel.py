"""Kaggle's offline kernel: finds its inputs, installs the wheels among them, writes submission.csv in one call."""

import json
import os
import subprocess
import sys
from pathlib import Path

INPUT = Path(os.environ.get("MALRULE_INPUT", "/kaggle/input"))
OUT = Path(os.environ.get("MALRULE_OUT", "/kaggle/working/submission.csv"))
PROFILE = os.environ.get("MALRULE_PROFILE", "t4x2")


def find(marker: str) -> Path:
    """The folder that holds `marker`; Kaggle has mounted inputs in two layouts, so the layout is not relied on."""
    found = sorted(INPUT.rglob(marker))
    if not found:
        there = ", ".join(str(path.relative_to(INPUT)) for path in sorted(INPUT.glob("*/*"))[:20])
        raise SystemExit(f"no {marker} under {INPUT}, which holds: {there}: add the missing source to the kernel")
    return found[0].parents[marker.count("/")]


def model(stage: str) -> Path:
    """The merged model that the packaging stage `stage` made."""
    for path in sorted(INPUT.rglob("manifest.json")):
        if json.loads(path.read_text())["lineage"].get("stage") == stage:
            return path.parent
    raise SystemExit(f"no model of {stage} under {INPUT}: add its dataset to the kernel's sources")


if wheels := sorted(INPUT.rglob("vllm*.whl")):
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        f"--find-links={wheels[0].parent}",
        "vllm",
        "polars",
        "faiss-cpu",
    ]
    subprocess.run(install, check=True)
sys.path.insert(0, str(find("inference/predict.py")))
from inference.predict import predict

predict(find("misconception_mapping.csv"), model("merge_embedder"), model("merge_reranker"), OUT, profile=PROFILE)
