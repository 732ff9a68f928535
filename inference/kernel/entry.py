"""Does for Kaggle's kernel what must happen around predict: finds and verifies its inputs, installs its wheels.

Imports nothing but the standard library at first: the wheels are installed before anything needs them.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

# {wheel: module} of what predict needs beyond the image; kaggle_kernels/wheels/kernel.py downloads and pins them.
WHEELS = {"vllm": "vllm", "polars": "polars", "pydantic": "pydantic", "faiss-cpu": "faiss"}
MARGIN_SECONDS = 300.0  # Predict is ended so long before the limit.
STAGES = {role: (f"merge_{role}", f"quantize_{role}") for role in ("embedder", "reranker")}  # that make what serves


def run(inputs: Path, out: Path, profile: str, sources: dict[str, dict], sample: int, seconds: float) -> None:
    """Write `out` from what is mounted under `inputs`; `sources` are the digests of the datasets that were pushed.

    It ends a while before `seconds` are over with the best result until then, and where something failed too: a kernel
    that fails has no score. Then, beside it in sample/, the same for `sample` questions of train.csv, and there a
    failure counts: with the 3 public rows alone, the hidden rerun would be the first real run. Leaves with one sentence
    when an input is missing, stale or damaged, a wheel does not fit, or the GPUs are not those of the profile.
    """
    end = time.monotonic() + seconds
    try:
        install_wheels(inputs)
        check_gpus(profile)
        check_sources(inputs, sources)
        models = {role: find_model(inputs, role, sources) for role in STAGES}
        verify(models)
        from shared.task.current import TASK  # imports a wheel

        competition = find(inputs, TASK.files.misconceptions)
        if not _predict(competition, models, out, profile, end):
            print("The submission is not what it should be, for the reason above", flush=True)
        if sample:
            from inference.kernel.sample import write_sample

            write_sample(competition, out.parent / "sample", sample)
            _check_sample(out.parent / "sample", models, profile, end)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None


def find(inputs: Path, marker: str) -> Path:
    """The folder that holds `marker`. Kaggle has mounted inputs in two layouts, so no layout is relied on."""
    for path in sorted(inputs.rglob(marker)):
        return path.parent
    raise ValueError(f"no {marker} under {inputs}, which holds {_tree(inputs)}: add that source to the kernel")


def find_model(inputs: Path, role: str, sources: dict[str, dict]) -> Path:
    """The merged or quantized model of that role; where datasets were pushed, one of theirs."""
    from shared.artifacts.manifest import digest

    pushed = {source["digest"] for source in sources.values()}
    manifests = [path for path in sorted(inputs.rglob("manifest.json")) if _lineage(path).get("stage") in STAGES[role]]
    found = [path.parent for path in manifests if not pushed or digest(path.parent) in pushed]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{found[0]} and {found[1]} are both an {role}: leave one of them among the kernel's sources")
    raise ValueError(f"no {role} under {inputs}, which holds {_tree(inputs)}: add its dataset to the kernel's sources")


def _tree(inputs: Path) -> str:
    folders = sorted(path for depth in ("*", "*/*", "*/*/*") for path in inputs.glob(depth) if path.is_dir())
    return ", ".join(path.relative_to(inputs).as_posix() for path in folders[:20]) or "nothing"


def _lineage(manifest: Path) -> dict:
    """{} for a manifest that is not ours: other tools name files so too."""
    try:
        lineage = json.loads(manifest.read_text(encoding="utf-8"))["lineage"]
        return lineage if isinstance(lineage, dict) else {}
    except (ValueError, KeyError, TypeError):
        return {}


def check_sources(inputs: Path, sources: dict[str, dict]) -> None:
    """Raise ValueError for a dataset whose mounted version is not the pushed one."""
    from shared.artifacts.manifest import digest

    mounted = {digest(path.parent) for path in inputs.rglob("manifest.json") if _lineage(path)}
    for slug, source in sources.items():
        if source["digest"] not in mounted:
            raise ValueError(
                f"{slug} version {source['version']} is not what is mounted: "
                "open the kernel's inputs, update the dataset"
            )


def verify(models: dict[str, Path]) -> None:
    """Raise ValueError for a model whose files are damaged, and for code that is not what its manifest says."""
    from shared.artifacts.manifest import MANIFEST, verify_manifest

    code = Path(__file__).parents[2]
    for folder in [*models.values(), *([code] if (code / MANIFEST).is_file() else [])]:  # a checkout has no manifest
        verify_manifest(folder)


def install_wheels(inputs: Path) -> None:
    """Install the wheels found under `inputs`, without any index. ValueError when they are for another interpreter."""
    missing = [name for name in WHEELS.values() if not importlib.util.find_spec(name)]
    if not missing:
        return
    wheels = sorted(inputs.rglob("vllm-*.whl"))
    if not wheels:
        raise ValueError(f"no {missing[0]} here, nor wheels under {inputs}: add malrule-wheels to the kernel's sources")
    misfit = [path.name for path in wheels[0].parent.glob("*.whl") if not _fits(path.name)]
    if misfit:
        version = ".".join(map(str, sys.version_info[:2]))
        raise ValueError(
            f"{len(misfit)} wheels, {misfit[0]} first, do not fit this Python {version}: "
            "just push-wheels makes new ones"
        )
    # --upgrade: what the image has of these in another version is replaced by the one that was tested
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--upgrade"]
    pip.append(f"--find-links={wheels[0].parent}")
    if subprocess.run([*pip, *WHEELS]).returncode:
        raise ValueError("pip could not install the wheels (its reason is above): just push-wheels makes new ones")
    importlib.invalidate_caches()


def _fits(wheel: str) -> bool:
    from packaging.tags import sys_tags
    from packaging.utils import parse_wheel_filename

    return not parse_wheel_filename(wheel)[3].isdisjoint(sys_tags())


def check_gpus(profile: str) -> None:
    """Raise ValueError unless this machine has as many of the GPUs that `profile` was written for."""
    from inference.machine.profiles import load_profile

    promised = load_profile(profile)
    if promised.device == "cpu":
        return
    listed = ""
    if shutil.which("nvidia-smi"):  # torch would take memory of the GPU for the answer
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    there = [line.partition(": ")[2].partition(" (")[0] for line in listed.splitlines() if line.startswith("GPU ")]
    if sum(promised.gpu in name.split() for name in there) < promised.gpus:
        raise ValueError(
            f"profile {profile} was promised {promised.gpus} x {promised.gpu} and this machine has"
            f" {', '.join(there) or 'no GPU'}: choose that accelerator in the kernel's settings"
        )


def _predict(competition: Path, models: dict[str, Path], out: Path, profile: str, end: float) -> bool:
    """Whether `out` is what it should be; if not, it is the best result in spite of a failure."""
    from inference.predict.watchdog import DEGRADED, run_guarded

    given = {"profile": profile, "competition": competition, "out": out, **models}
    words = (text for name, value in given.items() for text in (f"--{name}", str(value)))
    arguments = ["predict", "--verified", *words]
    now = time.monotonic()
    status = run_guarded(arguments, out, max(end - now, 2 * MARGIN_SECONDS), MARGIN_SECONDS, now)
    if status not in (0, DEGRADED):
        raise ValueError(f"predict ended with status {status} and wrote no submission; its reason is above")
    return status == 0


def _check_sample(folder: Path, models: dict[str, Path], profile: str, end: float) -> None:
    """Predict the sample in `folder` and print its score. A failure is an error here: nothing is at stake yet."""
    from inference.kernel.sample import score_sample
    from shared.task.current import TASK

    if not _predict(folder, models, folder / TASK.submission.file, profile, end):
        raise ValueError("the sample's prediction failed, for the reason above; so would the hidden rerun's")
    print(score_sample(folder), flush=True)
