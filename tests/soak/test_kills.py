"""Guards a small run, in short, against kills, power cuts and full disks: ./just soak does the same for an hour."""

import pytest

from tests.soak.kills import kills


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Of the training of an embedder: it resumes, which no other stage does."""
    with kills(tmp_path_factory.mktemp("soak"), "soak0_train_embedder") as cases:
        yield {case.kind: case for case in cases}


@pytest.mark.parametrize("kind", ["killed in a step", "power cut", "disk says ENOSPC", "disk says EROFS"])
def test_what_befalls_a_stage_costs_no_result(cases, kind):
    assert cases[kind].check(0) is None
