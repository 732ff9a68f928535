"""Guards the promise that the number of processes, and of machines, changes nothing.

One process is compared with two and four that torchrun started, and with two torchruns of a process each, as on two
machines.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.tiny import adapter_of

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("ranks_script.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone"]
KINDS = pytest.mark.parametrize("kind", ["embedder", "reranker"])


MACHINES = "two machines"


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@pytest.fixture(scope="module")
def folders(tiny_causal, tiny_qwen, queries, misconceptions, tmp_path_factory):
    """Where one process wrote, and where two and four did, by their number, and two machines."""
    tables = tmp_path_factory.mktemp("tables")
    queries.write_parquet(tables / "queries.parquet")
    misconceptions.write_parquet(tables / "misconceptions.parquet")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    running, folders = [], {}
    for count in (1, 2, 4):
        launcher = [*TORCHRUN, f"--nproc-per-node={count}"] if count > 1 else []
        folders[count] = tmp_path_factory.mktemp(f"processes_{count}")
        arguments = [SCRIPT, tables, tiny_causal, tiny_qwen, folders[count]]
        command = [sys.executable, *launcher, *map(str, arguments)]
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    folders[MACHINES] = tmp_path_factory.mktemp("machines")
    arguments = map(str, (SCRIPT, tables, tiny_causal, tiny_qwen, folders[MACHINES]))
    words, meet = (
        list(arguments),
        ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={free_port()}"],
    )
    for number in range(2):
        command = [sys.executable, "-m", "torch.distributed.run", *meet, f"--node-rank={number}", *words]
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    for process in running:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    return folders


@pytest.fixture(scope="module")
def one(folders):
    return json.loads((folders[1] / "answers_0.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=[2, 4, MACHINES])
def shared(request, folders):
    """Where two processes wrote, or four, or two machines."""
    return folders[request.param]


@pytest.fixture(scope="module")
def several(shared):
    """What each of them says."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(shared.glob("answers_*.json"))]


def test_there_were_as_many_processes(one, several):
    assert one["world"] == 1
    assert {answers["world"] for answers in several} == {len(several)}


def test_processes_agree_on_the_largest_of_their_numbers(one, several):
    # each says 3 and its rank
    assert one["largest"] == 3
    assert {answers["largest"] for answers in several} == {3 + len(several) - 1}


# seed: scoring with several processes mixed rows up (0.58 -> 0.32)
@pytest.mark.parametrize("name", ["vectors", "scores", "nearest", "products"])
def test_every_row_keeps_its_place_and_its_number_to_the_bit_on_every_process(one, several, name):
    assert np.std(one[name]) > 0.01  # else rows could change places unseen
    assert all(answers[name] == one[name] for answers in several)


# seed: metrics on rank 0 only made the other ranks time out, so evaluation was cut to a 40 % sample
@KINDS
def test_the_figures_are_exactly_those_of_one_process_on_all_rows_and_on_every_process(one, several, kind):
    figures = one[f"{kind} figures"]
    assert figures["all"]["pairs"] == 4  # all that are labelled
    assert all(answers[f"{kind} figures"] == figures for answers in several)


# seed: with negatives across N ranks the cross-entropy's gradient shrank by N and the distillation's did not
@KINDS
@pytest.mark.parametrize("terms", ["both terms", "hard term"])
def test_the_gradient_of_both_terms_is_that_of_one_process(one, several, kind, terms):
    expected = one[f"{kind} gradient, {terms}"]
    assert max(map(abs, expected["gradient"])) > 1e-4
    for answers in several:
        found = answers[f"{kind} gradient, {terms}"]
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-10)
        np.testing.assert_allclose(found["gradient"], expected["gradient"], atol=1e-10)
    assert one[f"{kind} gradient, both terms"]["loss"] > one[f"{kind} gradient, hard term"]["loss"] + 0.01


@KINDS
def test_a_process_without_a_micro_batch_of_its_own_takes_part(one, several, kind):
    expected = one[f"{kind} gradient, one group"]
    for answers in several:
        found = answers[f"{kind} gradient, one group"]
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-5)
        np.testing.assert_allclose(found["gradient"], expected["gradient"], atol=1e-5)


@KINDS
def test_training_takes_the_same_course(one, several, folders, shared, kind):
    assert len(one[f"{kind} losses"]) == 3
    for answers in several:
        assert answers[f"{kind} losses"] == pytest.approx(one[f"{kind} losses"], abs=1e-10)
    for epoch in (1, 2, 3):
        alone, together = (adapter_of(folder / f"{kind} work" / f"epoch_{epoch}") for folder in (folders[1], shared))
        assert alone.keys() == together.keys()
        for name, tensor in alone.items():
            assert tensor.dtype == torch.float64
            torch.testing.assert_close(together[name], tensor, atol=1e-10, rtol=0)


@KINDS
def test_a_base_spread_over_the_processes_gives_the_gradient_and_the_figures_of_a_whole_one(one, several, kind):
    expected = one[f"{kind} gradient, sharded"]
    for answers in several:
        found = answers[f"{kind} gradient, sharded"]
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-10)
        np.testing.assert_allclose(found["gradient"], expected["gradient"], atol=1e-10)
        assert found["figures"] == expected["figures"]
