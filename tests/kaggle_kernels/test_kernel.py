"""Guards the kernel's sources: the committed notebook is the script, and what finds the inputs takes either layout."""

import json
from pathlib import Path

import pytest

from inference.kaggle import find, find_model, install_wheels
from kaggle_kernels.kernel_metadata import kernel_request
from kaggle_kernels.notebook import KERNEL, make_notebook

ROOT = Path(__file__).parents[2]


def test_the_committed_notebook_is_made_from_the_script():
    assert KERNEL.with_suffix(".ipynb").read_text() == make_notebook(KERNEL.read_text())


@pytest.mark.parametrize(("kernel", "internet"), [("submit", False), ("wheels", True)])
def test_both_kernels_have_every_field_written_and_only_one_has_internet(kernel, internet):
    request = kernel_request(ROOT / "kaggle_kernels" / kernel, "alice", "iter1", internet, public=False)
    assert (request["enableInternet"], request["isPrivate"]) == (internet, True)
    assert request["slug"] == f"alice/malrule-{kernel}"


@pytest.mark.parametrize("layout", ["malrule-iter1-embedder", "datasets/alice/malrule-iter1-embedder"])
def test_a_model_is_found_in_the_old_and_in_the_new_mount_layout(tmp_path, layout):
    for name, text in {"other/manifest.json": "[]", f"{layout}/manifest.json": _manifest("merge_embedder")}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    assert find_model(tmp_path, "merge_embedder") == tmp_path / layout
    with pytest.raises(ValueError, match="no model of merge_reranker"):
        find_model(tmp_path, "merge_reranker")


def test_a_missing_input_is_named_with_what_is_there(tmp_path):
    (tmp_path / "datasets/alice").mkdir(parents=True)
    with pytest.raises(ValueError, match="no test.csv under .*, which holds datasets/alice: add that source"):
        find(tmp_path, "test.csv")


def test_wheels_of_another_interpreter_are_refused_before_anything_is_installed(tmp_path, monkeypatch):
    (tmp_path / "vllm-0.1.0-cp38-abi3-manylinux1_x86_64.whl").touch()
    (tmp_path / "polars-2.1.0-cp27-cp27m-manylinux1_x86_64.whl").touch()
    monkeypatch.setattr("inference.kaggle.MODULES", ("a_module_that_is_missing",))
    with pytest.raises(ValueError, match="1 wheels, polars-2.1.0-cp27.* do not fit this Python"):
        install_wheels(tmp_path)


def _manifest(stage: str) -> str:
    return json.dumps({"files": {}, "lineage": {"stage": stage}})
