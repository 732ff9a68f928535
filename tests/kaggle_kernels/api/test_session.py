"""Guards listings in pages: they end, whatever Kaggle says comes next."""

import itertools

import pytest

from tests.kaggle_kernels.kaggle_checkout import failure
from tests.kaggle_kernels.kaggle_server import packed
from tests.kaggle_kernels.kaggle_storage import Fault

FIRST = (["push-code"], ["push-models", "iter=1"], ["push-wheels"], ["push-kernel", "iter=1"])
READS = {  # what is listed: the commands before, the command that lists it
    "the files of malrule-code": ((["push-code"],), ["push-code"]),
    "the output of kernel malrule-submit": (FIRST, ["submit"]),
    "the files of eedi": ((), ["data"]),
}


@pytest.mark.parametrize("lie", ["empty", "circle"])
@pytest.mark.parametrize("what", READS)
def test_a_list_without_end_ends_in_a_sentence_and_is_read_once_kaggle_is_sound(what, lie, publish, server):
    before, command = READS[what]
    server.data, server.archive = {"train.csv": 1}, packed({"train.csv": b"x"})
    assert all(publish(*one).code == 0 for one in before)
    server.page_lies = list(itertools.repeat(lie, 1000))
    asked = len(server.log)
    assert f"Kaggle's list of {what}" in failure(outcome := publish(*command)) and "does not end" in outcome.err
    assert len(server.log) - asked < 25 and outcome.err.count("\n") <= 2
    server.page_lies = []
    assert publish(*command).code == 0


def test_a_competition_that_lists_no_file_is_not_downloaded(publish, server, checkout):
    server.archive = packed({"train.csv": b"x"})
    assert "Kaggle lists no file of" in failure(publish("data"))
    assert not (checkout / "data/eedi").exists()


def test_a_list_that_breaks_off_makes_no_file_count_as_missing(publish, server):
    assert publish("push-code").code == 0
    server.faults = [Fault("ListDatasetFiles", 1, "empty_after")]  # the second page is empty
    assert "Kaggle's list of the files of malrule-code has a gap" in failure(publish("push-code"))
    assert publish("push-code").code == 0 and len(server.datasets["malrule-code"]["versions"]) == 1
