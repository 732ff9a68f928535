"""Does the work of Kaggle's kernel: verifies its inputs, makes submission.csv, and rehearses on a sample.

`python -m inference.kernel.work JSON`, with the packages of the wheels; entry.py starts it.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from inference.kernel.writer import find_writer

MARGIN_SECONDS = 300.0  # Predict is ended so long before the limit.
STAGES = {role: (f"merge_{role}", f"quantize_{role}") for role in ("embedder", "reranker")}  # that make what serves


def work(inputs: Path, out: Path, profile: str, sources: dict[str, dict], sample: int, end: float) -> None:
    """Write `out`, and the rehearsal beside it, until `end` of time.monotonic(). ValueError as entry.run says."""
    check_gpus(profile)
    check_sources(inputs, sources)
    models = {role: find_model(inputs, role, sources) for role in STAGES}
    verify(models)
    models |= find_writer(inputs)
    from shared.task.current import task_of_model, use  # imports polars

    competition = find(inputs, use(task_of_model(models["reranker"])).files.misconceptions)
    if not _predict(competition, models, out, profile, end):
        print("The submission is not what it should be, for the reason above", flush=True)
    if sample:
        from inference.kernel.sample import write_sample

        write_sample(competition, out.parent / "sample", sample)
        _check_sample(out.parent / "sample", models, profile, end)


def find(inputs: Path, marker: str) -> Path:
    """The folder that holds `marker`. Kaggle has mounted inputs in two layouts, so no layout is relied on."""
    for path in sorted(inputs.rglob(marker)):
        return path.parents[len(Path(marker).parts) - 1]
    raise ValueError(f"no {marker} under {inputs}, which holds {_tree(inputs)}: add that source to the kernel")


def find_model(inputs: Path, role: str, sources: dict[str, dict]) -> Path:
    """The merged or quantized model of that role; where datasets were pushed, one of theirs."""
    from shared.artifacts.manifest import digest

    pushed = {source["digest"] for source in sources.values()}
    manifests = [path for path in sorted(inputs.rglob("manifest.json")) if _lineage(path).get("stage") in STAGES[role]]
    digests = {digest(path.parent): path.parent for path in reversed(manifests)}  # of two mounts of the same, the first
    found = [
        folder for name, folder in sorted(digests.items(), key=lambda item: item[1]) if not pushed or name in pushed
    ]
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
    """Predict the sample in `folder` and print its score. A failure is an error here: nothing is at stake yet.

    Rows for which a model has no answer are no failure: predict has named them, and they cost little.
    """
    from inference.kernel.sample import score_sample
    from shared.task.current import TASK

    if not _predict(folder, models, folder / TASK.submission.file, profile, end) and _failed(folder):
        raise ValueError("the sample's prediction failed, for the reason above; so would the hidden rerun's")
    print(score_sample(folder), flush=True)


def _failed(folder: Path) -> bool:
    """Whether more than single rows went wrong in the prediction in `folder`."""
    said = json.loads((folder / "budget.json").read_text(encoding="utf-8"))
    return bool(said["failed"]) or said["process"] != "ended by itself"


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    try:
        work(**{**given, "inputs": Path(given["inputs"]), "out": Path(given["out"])})
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
