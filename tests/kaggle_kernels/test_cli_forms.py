"""Guards that our requests have the form that the real `kaggle` command gives them, verb by verb and field by field."""

import re
import sys
from pathlib import Path

import pytest

from tests.kaggle_kernels.cli_forms import OURS, VERBS, by_call, cli_forms, our_forms, table
from tests.kaggle_kernels.kaggle_checkout import ROOT

PAGE = "tests/kaggle_kernels/cli_forms.py writes docs/kaggle-requests.md: run it again"
# Where the two may differ, as (call, field), and why.
ONLY_THEIRS = {
    ("CreateDataset", "categoryIds"): "our datasets have no keywords",
    ("CreateDatasetVersion", "body.categoryIds"): "our datasets have no keywords",
}
ONLY_OURS = {
    ("CreateDataset", "directories"): "kaggle drops folders; kagglehub sends them so",
    ("CreateDatasetVersion", "body.directories"): "kaggle drops folders; kagglehub sends them so",
    ("ListSubmissions", "pageSize"): "one page of 200 and not of 20",
}
NOT_ASKED = {"GetDatasetMetadata": "kaggle asks for the licence, to print it"}


@pytest.fixture(scope="module")
def kaggle():
    return str(Path(sys.executable).with_name("kaggle"))


def test_our_requests_have_the_fields_that_kaggles_own_command_sends(kaggle, server, publish, checkout, tmp_path):
    real = cli_forms(server, tmp_path / "cli", kaggle)
    labels = {body["versionLabel"] for _, body in server.log if "versionLabel" in body}
    ours = our_forms(server, publish, checkout)
    labels |= {body["versionLabel"] for _, body in server.log if "versionLabel" in body}
    assert labels and all(re.fullmatch("v[0-9]+", label) for label in labels)
    assert set(real) == set(VERBS) and set(ours) == set(OURS)
    theirs, own = by_call(real), by_call(ours)
    assert {call.rpartition("/")[2] for call in theirs.keys() - own.keys()} == NOT_ASKED.keys()
    for call in theirs.keys() & own.keys():  # the same address, too: it is part of the call's name here
        name = call.rpartition("/")[2]
        for less in theirs[call].keys() - own[call].keys():
            assert (name, less) in ONLY_THEIRS, f"{call} goes out without {less}"
        for more in own[call].keys() - theirs[call].keys():
            assert (name, more) in ONLY_OURS, f"{call} goes out with {more}"
        both = theirs[call].keys() & own[call].keys()
        assert {field: theirs[call][field] for field in both} == {field: own[call][field] for field in both}
    kept = (ROOT / "docs/kaggle-requests.md").read_text(encoding="utf-8")
    version = re.search(r"which asked (.*?) on the", kept)[1]
    assert kept == table(real, ours, version), PAGE
