"""Guards the kernel: the notebook is the script; inputs are found in either layout, checked, refused in a sentence."""

import ast
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import packaging
import pytest
from packaging.version import Version

from inference.kernel.entry import WHEELS, check_gpus, check_sources, find, find_model, install_wheels
from inference.machine.profiles import load_profile
from kaggle_kernels.package.notebook import KERNEL, make_notebook
from kaggle_kernels.push.kernel_request import kernel_request
from shared.artifacts.manifest import digest, write_manifest
from tests.kaggle_kernels.kaggle_checkout import rewrite

ROOT = Path(__file__).parents[3]


def test_the_committed_notebook_is_made_from_the_script():
    assert KERNEL.with_suffix(".ipynb").read_text(encoding="utf-8") == make_notebook(KERNEL.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kernel", "internet"), [("submit", False), ("wheels", True)])
def test_both_kernels_have_every_field_written_and_only_one_has_internet(kernel, internet):
    request = kernel_request(ROOT / "kaggle_kernels" / kernel, "alice", "iter1", internet, public=False)
    assert (request["enableInternet"], request["isPrivate"]) == (internet, True)
    assert request["slug"] == f"alice/malrule-{kernel}"


def test_both_kernels_run_on_the_same_image_pinned_by_its_digest():
    requests = [
        kernel_request(ROOT / "kaggle_kernels" / kernel, "alice", "iter1", internet, public=False)
        for kernel, internet in (("submit", False), ("wheels", True))
    ]
    assert requests[0]["dockerImage"] == requests[1]["dockerImage"] and "@sha256:" in requests[0]["dockerImage"]
    assert {request["dockerImagePinningType"] for request in requests} == {"original"}
    assert {request["machineShape"] for request in requests} == {load_profile("t4x2").machine_shape}


def test_a_kernel_for_another_machine_than_its_profile_is_not_pushed(tmp_path):
    shutil.copytree(ROOT / "kaggle_kernels/submit", tmp_path / "submit")
    rewrite(tmp_path / "submit/kernel-metadata.json", machine_shape="NvidiaL4")
    with pytest.raises(ValueError, match="machine_shape is NvidiaL4, and the code's profile t4x2 is for NvidiaTeslaT4"):
        kernel_request(tmp_path / "submit", "alice", "iter1", internet=False, public=False)


def test_the_wheels_that_are_downloaded_are_those_that_are_installed_at_the_tested_versions():
    here, tested = _downloaded(), _required("requirements/gpu.txt")
    assert here.keys() == WHEELS.keys()
    assert (here["polars"], here["pydantic"]) == (tested["polars"], tested["pydantic"])
    assert here["faiss-cpu"] == tested["faiss-gpu"] == _required("requirements/cpu.txt")["faiss-cpu"]
    # From 0.20 on vLLM's wheels need CUDA 13, which Kaggle's image does not have: only there it is an older one.
    assert Version(here["vllm"]) < Version("0.20") < Version(tested["vllm"])


def _downloaded() -> dict[str, str]:
    """{wheel: version} of kaggle_kernels/wheels/kernel.py, which cannot be imported: it downloads them."""
    tree = ast.parse((ROOT / "kaggle_kernels/wheels/kernel.py").read_text(encoding="utf-8"))
    (pins,) = (ast.literal_eval(line.value) for line in tree.body if isinstance(line, ast.Assign))
    return dict(pin.split("==") for pin in pins)


def _required(path: str) -> dict[str, str]:
    """{package: version} of a file of requirements."""
    return dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (ROOT / path).read_text(encoding="utf-8")))


@pytest.mark.parametrize("layout", ["malrule-iter1-embedder", "datasets/alice/malrule-iter1-embedder"])
def test_a_model_is_found_in_the_old_and_in_the_new_mount_layout(tmp_path, layout):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/manifest.json").write_text("[]", encoding="utf-8")
    _model(tmp_path / layout, "merge_embedder")
    assert find_model(tmp_path, "embedder", {}) == tmp_path / layout
    with pytest.raises(ValueError, match="no reranker under .*, which holds .*-embedder.*: add its dataset"):
        find_model(tmp_path, "reranker", {})


def test_a_quantized_model_serves_as_a_merged_one_does(tmp_path):
    _model(tmp_path / "a", "quantize_reranker")
    assert find_model(tmp_path, "reranker", {}) == tmp_path / "a"


def test_of_two_models_the_one_that_was_pushed_is_taken_and_without_a_push_neither(tmp_path):
    for name in ("iter0", "iter1"):
        _model(tmp_path / name, "merge_embedder")
    sources = {"malrule-iter1-embedder": {"version": 3, "digest": digest(tmp_path / "iter1")}}
    check_sources(tmp_path, sources)
    assert find_model(tmp_path, "embedder", sources) == tmp_path / "iter1"
    with pytest.raises(ValueError, match="iter0 and .*iter1 are both an embedder: leave one"):
        find_model(tmp_path, "embedder", {})
    with pytest.raises(ValueError, match="malrule-iter1-embedder version 4 is not what is mounted"):
        check_sources(tmp_path, {"malrule-iter1-embedder": {"version": 4, "digest": "0" * 64}})


def test_of_two_mounts_of_the_same_model_either_is_taken(tmp_path):
    _model(tmp_path / "datasets/alice/iter1", "merge_embedder")
    shutil.copytree(tmp_path / "datasets/alice/iter1", tmp_path / "iter1")
    sources = {"iter1": {"version": 1, "digest": digest(tmp_path / "iter1")}}
    for pushed in ({}, sources):
        assert find_model(tmp_path, "embedder", pushed) == tmp_path / "datasets/alice/iter1"


@pytest.mark.parametrize(("word", "sample"), [("1", 0), ("True", 0), ("False", 100), ("0", 100), ("", 100)])
def test_only_a_word_that_says_yes_is_the_rerun(word, sample, tmp_path):
    (tmp_path / "code/inference/kernel").mkdir(parents=True)
    said = "def run(*given):\n    print('sample', given[4])\n"
    (tmp_path / "code/inference/kernel/entry.py").write_text(said, encoding="utf-8")
    given = {"MALRULE_INPUT": str(tmp_path), "KAGGLE_IS_COMPETITION_RERUN": word, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, KERNEL], env=given, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == f"sample {sample}\n", done.stderr


def test_a_missing_input_is_named_with_what_is_there(tmp_path):
    (tmp_path / "datasets/alice/models").mkdir(parents=True)
    there = "datasets, datasets/alice, datasets/alice/models"
    with pytest.raises(ValueError, match=f"no test.csv under .*, which holds {there}: add that source"):
        find(tmp_path, "test.csv")


def test_wheels_of_another_interpreter_are_refused_before_anything_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr("inference.kernel.entry.WHEELS", {"a": "a_module_that_is_missing"})
    with pytest.raises(ValueError, match="no a_module_that_is_missing here, nor wheels under .*: add malrule-wheels"):
        install_wheels(tmp_path)
    (tmp_path / "vllm-0.1.0-cp38-abi3-manylinux1_x86_64.whl").touch()
    (tmp_path / "polars-2.1.0-cp27-cp27m-manylinux1_x86_64.whl").touch()
    with pytest.raises(ValueError, match="1 wheels, polars-2.1.0-cp27.* do not fit this Python"):
        install_wheels(tmp_path)


def test_wheels_are_installed_with_no_index_and_no_network(tmp_path):
    shutil.copytree(packaging.__path__[0], tmp_path / "site/packaging")  # Kaggle's image has it
    _wheel(tmp_path / "input/wheels", "vllm", requires="probe_needed")
    code = (
        "import inference.kernel.entry as k; from pathlib import Path; k.WHEELS = {'vllm': 'vllm'};"
        "k.install_wheels(Path('input')); import vllm, probe_needed; print('installed')"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{tmp_path / 'site'}"}
    environment |= {"PIP_TARGET": str(tmp_path / "site"), "PIP_BREAK_SYSTEM_PACKAGES": "1", "PIP_USER": "0"}
    environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    command = [sys._base_executable, "-c", code]  # it has pip; the environment of the tests has none
    absent = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "ValueError: pip could not install the wheels" in absent.stderr and "probe" in absent.stderr
    _wheel(tmp_path / "input/wheels", "probe_needed")
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "installed\n", done.stderr


@pytest.mark.parametrize(
    ("profile", "listed", "refused"),
    [
        ("t4x2", ["Tesla T4", "Tesla T4"], ""),
        ("t4x2", ["Tesla T4"], "was promised 2 x T4 and this machine has Tesla T4"),
        ("t4x2", ["Tesla P100-PCIE-16GB"], "this machine has Tesla P100-PCIE-16GB: choose that accelerator"),
        ("t4x2", [], "this machine has no GPU"),
        ("l4x4", ["NVIDIA L4"] * 4, ""),
        ("l4x4", ["NVIDIA L40S"] * 4, "was promised 4 x L4"),
        ("h100", ["NVIDIA H100 80GB HBM3"], ""),
        ("cpu", [], ""),
    ],
)
def test_other_gpus_than_the_profile_was_promised_are_refused(profile, listed, refused, tmp_path, monkeypatch):
    lines = [f"GPU {number}: {name} (UUID: GPU-{number})" for number, name in enumerate(listed)]
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\ncat <<EOF\n" + "\n".join(lines) + "\nEOF\n", encoding="utf-8")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    if not refused:
        check_gpus(profile)
        return
    with pytest.raises(ValueError, match=refused):
        check_gpus(profile)


def _model(folder: Path, stage: str) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(str(folder)), encoding="utf-8")
    write_manifest(folder, {"stage": stage})


def _wheel(folder: Path, name: str, requires: str = "") -> None:
    """A wheel of one empty module."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + (
        f"Requires-Dist: {requires}\n" if requires else ""
    )
    files = {
        f"{name}.py": "",
        f"{name}-1.0.dist-info/METADATA": metadata,
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{name}-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{name}-1.0.dist-info/RECORD": record}.items():
            archive.writestr(path, text)
