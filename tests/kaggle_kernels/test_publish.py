"""Guards the verbs of publish.py, one by one, against a Kaggle of our own."""

import json

import pytest


def test_a_release_brings_everything_up_and_a_second_one_sends_nothing(server, publish, checkout):
    first = publish("release", "iter=1")
    assert (first.code, first.err.count("release:")) == (0, 0), first.err
    assert set(server.datasets) == {"malrule-code", "malrule-iter1-embedder", "malrule-iter1-reranker"}
    assert set(server.kernels) == {"malrule-wheels", "malrule-submit"}
    assert json.loads((checkout / "runs/iter1/full/submission.json").read_text())["public_score"] == "0.505"
    writes = len(server.blobs), server.count("SaveKernel"), server.count("CreateCodeSubmission")
    second = publish("release", "iter=1")
    assert second.code == 0, second.err
    assert (len(server.blobs), server.count("SaveKernel"), server.count("CreateCodeSubmission")) == writes
    assert second.out.count("already there") == 5
