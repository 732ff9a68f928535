"""Does for Kaggle's kernel what must happen around predict: finds and verifies its inputs, installs its wheels.

Imports nothing but the standard library at first: the wheels are installed before anything needs them.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

MODULES = ("vllm", "polars", "pydantic", "faiss")
WHEELS = ("vllm", "polars", "pydantic", "faiss-cpu")  # what predict needs beyond Kaggle's image


def run(inputs: Path, out: Path, profile: str, sources: dict[str, dict]) -> None:
    """Write `out` from what is mounted under `inputs`; `sources` are the digests of the datasets that were pushed.

    Leaves with one sentence when an input is missing, stale or damaged, a wheel does not fit, or the GPU is not there.
    """
    try:
        install_wheels(inputs)
        models = {stage: find_model(inputs, stage) for stage in ("merge_embedder", "merge_reranker")}
        verify(inputs, sources, list(models.values()))
        _check_device(profile)
        from inference.calibrate import calibration_of
        from inference.ensemble import Member, Models
        from inference.predict import predict

        competition = find(inputs, "misconception_mapping.csv")
        pair = Models(*((Member(models[stage]),) for stage in ("merge_embedder", "merge_reranker")))
        predict(competition, pair, out, profile=profile, calibration=calibration_of(pair))
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None


def find(inputs: Path, marker: str) -> Path:
    """The folder that holds `marker`. Kaggle has mounted inputs in two layouts, so no layout is relied on."""
    for path in sorted(inputs.rglob(marker)):
        return path.parent
    there = ", ".join(path.relative_to(inputs).as_posix() for path in sorted(inputs.glob("*/*"))[:20])
    raise ValueError(f"no {marker} under {inputs}, which holds {there or 'nothing'}: add that source to the kernel")


def find_model(inputs: Path, stage: str) -> Path:
    """The merged model that the packaging stage `stage` made."""
    for path in sorted(inputs.rglob("manifest.json")):
        if _lineage(path).get("stage") == stage:
            return path.parent
    raise ValueError(f"no model of {stage} under {inputs}: add its dataset to the kernel's sources")


def _lineage(manifest: Path) -> dict:
    """{} for a manifest that is not ours: other tools name files so too."""
    try:
        return json.loads(manifest.read_text())["lineage"]
    except (ValueError, KeyError, TypeError):
        return {}


def verify(inputs: Path, sources: dict[str, dict], folders: list[Path]) -> None:
    """Raise ValueError for a mounted dataset that is not the pushed version, or a model whose files are damaged."""
    from shared.manifest import digest, verify_manifest

    mounted = {digest(path.parent) for path in inputs.rglob("manifest.json") if _lineage(path)}
    for slug, source in sources.items():
        if source["digest"] not in mounted:
            raise ValueError(
                f"{slug} version {source['version']} is not what is mounted: "
                "open the kernel's inputs, update the dataset"
            )
    for folder in folders:
        verify_manifest(folder)


def install_wheels(inputs: Path) -> None:
    """Install the wheels found under `inputs`, without any index. ValueError when they are for another interpreter."""
    wheels = sorted(inputs.rglob("vllm-*.whl"))
    if not wheels or all(map(importlib.util.find_spec, MODULES)):
        return
    misfit = [path.name for path in wheels[0].parent.glob("*.whl") if not _fits(path.name)]
    if misfit:
        version = ".".join(map(str, sys.version_info[:2]))
        raise ValueError(
            f"{len(misfit)} wheels, {misfit[0]} first, do not fit this Python {version}: "
            "just push-wheels makes new ones"
        )
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", f"--find-links={wheels[0].parent}"]
    if subprocess.run([*pip, *WHEELS]).returncode:
        raise ValueError("pip could not install the wheels (its reason is above): just push-wheels makes new ones")


def _fits(wheel: str) -> bool:
    from packaging.tags import sys_tags
    from packaging.utils import parse_wheel_filename

    return not parse_wheel_filename(wheel)[3].isdisjoint(sys_tags())


def _check_device(profile: str) -> None:
    import torch

    from inference.profiles import load_profile

    if load_profile(profile).device == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"profile {profile} needs a GPU and there is none: choose one in the kernel's settings")
