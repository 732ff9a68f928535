"""Guards the kernel: the notebook is the script; inputs are found in either layout, checked, refused in a sentence."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import packaging
import pytest
from packaging.version import Version

from inference.kernel.entry import LOCK, WHEELS, find_python, run
from inference.kernel.work import check_gpus, check_sources, find, find_model
from inference.machine.profiles import load_profile
from kaggle_kernels.package.notebook import KERNEL, make_notebook
from kaggle_kernels.package.wheels_lock import fill_lock
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


def test_the_lock_of_the_wheels_has_what_is_installed_at_the_tested_versions_and_a_hash_for_each():
    folder = ROOT / "kaggle_kernels/wheels"
    here, tested = _required("kaggle_kernels/wheels/requirements.txt"), _required("requirements/gpu.txt")
    asked = dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (folder / "requirements.in").read_text(encoding="utf-8")))
    assert asked.keys() == WHEELS.keys() and asked.items() <= here.items()
    same = ("polars", "pydantic", "typer", "transformers", "tokenizers", "safetensors")
    assert {name: here[name] for name in same} == {name: tested[name] for name in same}
    assert here["faiss-cpu"] == tested["faiss-gpu"] == _required("requirements/cpu.txt")["faiss-cpu"]
    # From 0.20 on vLLM's wheels need CUDA 13, which Kaggle's image does not have: only there it is an older one.
    assert Version(here["vllm"]) < Version("0.20") < Version(tested["vllm"])
    filled = fill_lock((folder / "kernel.py").read_text(encoding="utf-8"), folder)  # raises where a hash is missing
    assert len(filled) < 1_000_000  # which is what Kaggle takes


def _required(path: str) -> dict[str, str]:
    """{package: version} of a file of requirements."""
    return dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (ROOT / path).read_text(encoding="utf-8")))


def test_a_lock_without_a_hash_or_a_line_for_it_is_not_pushed(tmp_path):
    with pytest.raises(ValueError, match="requirements.txt does not exist: requirements/pin.sh makes it"):
        fill_lock("LOCK = ''", tmp_path)
    (tmp_path / "requirements.txt").write_text("a==1 \\\n    --hash=sha256:1\nb==2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no hash for 'b==2'"):
        fill_lock("LOCK = ''", tmp_path)
    (tmp_path / "requirements.txt").write_text("a==1 \\\n    --hash=sha256:1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="0 lines that start with `LOCK = `"):
        fill_lock("x = 1", tmp_path)


@pytest.fixture
def download(tmp_path):
    """Run the kernel that downloads, with a lock, where a folder is the only index."""
    folder, out = tmp_path / "index", tmp_path / "out"
    out.mkdir()

    def run(lock: str, python: str = ".".join(map(str, sys.version_info[:2]))) -> subprocess.CompletedProcess:
        code = (ROOT / "kaggle_kernels/wheels/kernel.py").read_text(encoding="utf-8")
        (tmp_path / "requirements.txt").write_text(lock, encoding="utf-8")
        code = fill_lock(code.replace('PYTHON = "3.12"', f'PYTHON = "{python}"'), tmp_path)
        (tmp_path / "kernel.py").write_text(code, encoding="utf-8")
        environment = {"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
        environment |= {"MALRULE_OUT": str(out), "PIP_CONFIG_FILE": os.devnull}
        command = [sys._base_executable, tmp_path / "kernel.py"]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    return run


def test_the_wheels_of_the_lock_are_downloaded_and_what_the_image_has_of_them_is_listed(download, tmp_path):
    _wheel(tmp_path / "index", "probe_needed")
    _wheel(tmp_path / "index", "pip")  # the interpreter has another one
    done = download(_lock(tmp_path / "index"))
    assert done.returncode == 0, done.stderr
    assert "2 wheels: the image has 0 of them as they are and 1 in another version" in done.stdout
    assert re.search(r"  pip [0-9.]+ -> 1.0\n", done.stdout)
    there = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert there == ["malrule-wheels.txt", "pip-1.0-py3-none-any.whl", "probe_needed-1.0-py3-none-any.whl"]


def test_another_wheel_than_the_locked_one_a_source_package_and_another_python_are_refused(download, tmp_path):
    _wheel(tmp_path / "index", "probe_needed")
    lock = _lock(tmp_path / "index")
    (tmp_path / "index/only_source-1.0.tar.gz").write_bytes(b"source")
    for wrong in (lock.replace("sha256:", "sha256:0")[:-2] + "\n", "only-source==1.0 \\\n    --hash=sha256:1\n"):
        done = download(wrong)
        assert done.returncode == 1 and "error: pip could not download every wheel of the lock" in done.stderr
    done = download(lock, "3.5")
    assert done.returncode == 1 and "error: the lock is for Python 3.5 and this image has 3." in done.stderr
    assert not list((tmp_path / "out").glob("*.whl"))


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
        find_python(tmp_path)
    (tmp_path / "vllm-0.1.0-cp38-abi3-manylinux1_x86_64.whl").touch()
    with pytest.raises(ValueError, match=f"has no {LOCK}: an older push made these wheels"):
        find_python(tmp_path)
    (tmp_path / "polars-2.1.0-cp27-cp27m-manylinux1_x86_64.whl").touch()
    with pytest.raises(ValueError, match="1 wheels, polars-2.1.0-cp27.* do not fit this Python"):
        find_python(tmp_path)


def test_wheels_are_installed_beside_the_image_with_no_index_and_no_network(tmp_path):
    shutil.copytree(packaging.__path__[0], tmp_path / "site/packaging")  # Kaggle's image has it
    wheels = tmp_path / "input/wheels"
    _wheel(wheels, "vllm", requires="probe_needed")
    _wheel(wheels, "packaging")  # another one than the image's
    (wheels / LOCK).write_text(
        _lock(wheels) + f"probe-needed==1.0 \\\n    --hash=sha256:{'0' * 64}\n", encoding="utf-8"
    )
    code = (
        "import inference.kernel.entry as k, packaging, subprocess; from pathlib import Path\n"
        "k.WHEELS = {'vllm': 'vllm'}; k.tempfile.tempdir = '.'; before = packaging.__file__\n"
        "python = k.find_python(Path('input').resolve())\n"
        "say = 'import vllm, probe_needed, packaging; print(packaging.__file__)'\n"
        "print(subprocess.run([python, '-I', '-c', say], capture_output=True, text=True).stdout)\n"
        "assert not k.importlib.util.find_spec('vllm') and not Path(before).with_name('vllm.py').exists()"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{tmp_path / 'site'}", "PIP_CONFIG_FILE": os.devnull}
    environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    command = [sys._base_executable, "-c", code]  # it has pip; the environment of the tests has none
    absent = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "ValueError: pip could not install the wheels" in absent.stderr and "probe" in absent.stderr
    _wheel(wheels, "probe_needed")
    (wheels / LOCK).write_text(_lock(wheels), encoding="utf-8")
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "malrule-wheels/lib") in done.stdout or "malrule-wheels/lib" in done.stdout


def test_what_the_process_of_the_kernel_refuses_is_the_sentence_of_the_kernel(tmp_path, capsys):
    with pytest.raises(SystemExit, match=f"error: no embedder under {tmp_path}, which holds nothing: add its dataset"):
        run(tmp_path, tmp_path / "submission.csv", "cpu", {}, 0, 3600.0)
    assert "error: no embedder under" in capsys.readouterr().out  # where the cell shows it


def _lock(folder: Path) -> str:
    """A lock of the wheels in `folder`."""
    digests = {path.name.split("-")[0]: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.whl"))}
    return "".join(f"{name.replace('_', '-')}==1.0 \\\n    --hash=sha256:{said}\n" for name, said in digests.items())


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
